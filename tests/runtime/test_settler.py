"""A settler holds few large documents at once, and many small ones."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from analytics.bolts import BOLTS
from analytics.broker.wire import Head
from analytics.core.areas import Area, Areas
from analytics.core.fold import Folder
from analytics.core.periods import zone
from analytics.runtime.settler import DOCUMENTS_AT_FIRST, DOCUMENTS_AT_ONCE, Changes, Settler
from analytics.store import Write
from analytics.store.memory import MemoryStore

AREAS = Areas(Area(f"area{n:020}", "dl", "2001", zone("UTC")) for n in range(200))
TOPIC = "gamelog.yuanbao_logchange"
NOON = 1420632000
BOLT = BOLTS["coinhour"]


class Watched(MemoryStore):
    """Notes how many documents are written at once: so many were held."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        if collection == BOLT.name:
            self.written.append(len(writes))
        return super().write(collection, writes)


def settled(store: MemoryStore, accts: int, max_items: int, rounds: int) -> None:
    """Settle changes of every area, each of them by the same ``accts`` accts in every round."""
    publisher = cast(Any, None)  # the bolt publishes nothing
    settler = Settler({BOLT.name: BOLT}, AREAS, store, publisher, "s", max_items)
    folder = Folder([BOLT], AREAS)
    for number in range(1, rounds + 1):
        body = b"\n".join(
            msgspec.json.encode(
                {"area": area, "ts": NOON, "data": {"acct": str(acct), "amount": -1, "reason": "shop"}}
            )
            for area in AREAS
            for acct in range(accts)
        )
        changes = Changes.nothing("log", [BOLT.name])
        changes.add(BOLT.name, folder.fold(TOPIC, number, body)[0][BOLT.name])
        changes.heads = {BOLT.name: {TOPIC: Head(number, 0, 0)}}
        settler.settle(changes)


def test_documents_with_long_lists_are_settled_few_at_once() -> None:
    store = Watched()
    settled(store, accts=96, max_items=2_000, rounds=2)
    assert store.written[0] == DOCUMENTS_AT_FIRST
    assert max(store.written[1:]) == 20, "twenty of a hundred items each"


def test_documents_with_short_lists_are_settled_together() -> None:
    store = Watched()
    settled(store, accts=1, max_items=1_000_000, rounds=2)
    assert store.written == [DOCUMENTS_AT_FIRST, len(AREAS) - DOCUMENTS_AT_FIRST, len(AREAS)]
    assert len(AREAS) < DOCUMENTS_AT_ONCE


def test_a_document_larger_than_all_that_may_be_held_is_settled_alone() -> None:
    store = Watched()
    settled(store, accts=96, max_items=50, rounds=1)
    assert set(store.written[1:]) == {1}
