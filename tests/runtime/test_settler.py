"""A settler holds few large documents at once, and many small ones, asks for none that is new, and stops where one fails."""

from collections.abc import Iterable, Sequence
from typing import Any

import gevent
import msgspec
import pytest

from analytics.bolts import BOLTS
from analytics.broker.wire import Head
from analytics.core.areas import Area, Areas
from analytics.core.fold import Folder
from analytics.core.periods import zone
from analytics.core.settle import PART_SIZE, STEP_SIZE, PartlyIncluded
from analytics.core.writing import DOCUMENTS_AT_FIRST, DOCUMENTS_AT_ONCE, LostWrites, Writer
from analytics.errors import Unavailable
from analytics.runtime.outlet import Outlet
from analytics.runtime.settler import PORTIONS, PendingChanges, Settler
from analytics.spouts.acknowledging import Silent
from analytics.store import Document, Write
from analytics.store.memory import MemoryStore

AREAS = Areas(Area(f"area{n:020}", "dl", "2001", zone("UTC")) for n in range(200))
TOPIC = "gamelog.yuanbao_logchange"
NOON = 1420632000
HOUR = 3600
BOLT = BOLTS["coinhour"]


class Watched(MemoryStore):
    """Notes how many documents are written at once, since so many were held, and which are asked for. Fails on command."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []
        self.asked: list[str] = []
        self.failures = 0

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        if collection == BOLT.name:
            self.written.append(len(writes))
            gevent.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise Unavailable("no answer, on purpose")
        return super().write(collection, writes)

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        if collection == BOLT.name:
            self.asked += ids
        return super().load(collection, ids)


def settler_of(store: MemoryStore, max_items: int = 1_000_000) -> Settler:
    outlet = Outlet(Silent(), "test")
    return Settler({BOLT.name: BOLT}, AREAS, store, outlet, max_items)


def changed(
    number: int, accts: Iterable[int], areas: Iterable[str] = AREAS, ts: int = NOON
) -> PendingChanges:
    """Return what a message changes in which each of these accts spends a coin in each of these areas."""
    body = b"\n".join(
        msgspec.json.encode(
            {"area": area, "ts": ts, "data": {"acct": str(acct), "amount": -1, "reason": "shop"}}
        )
        for area in areas
        for acct in accts
    )
    changes = PendingChanges.nothing("log", [BOLT.name])
    changes.add(BOLT.name, Folder([BOLT], AREAS).fold(TOPIC, number, body)[0][BOLT.name])
    changes.heads = {BOLT.name: {TOPIC: Head(number, 0, 0)}}
    return changes


def settled(store: MemoryStore, accts: int, max_items: int, rounds: int) -> None:
    """Settle changes of every area, each of them by the same ``accts`` accts in every round."""
    settler = settler_of(store, max_items)
    for number in range(1, rounds + 1):
        settler.settle(changed(number, range(accts)))


def test_documents_with_long_lists_are_settled_few_at_once() -> None:
    store = Watched()
    settled(store, accts=96, max_items=2_000, rounds=2)
    assert store.written[:PORTIONS] == [DOCUMENTS_AT_FIRST] * PORTIONS
    assert max(store.written[PORTIONS:]) == 10, "ten of a hundred items each, twice"


def test_documents_with_short_lists_are_settled_together() -> None:
    store = Watched()
    settled(store, accts=1, max_items=1_000_000, rounds=2)
    first = [DOCUMENTS_AT_FIRST] * PORTIONS
    assert store.written == [*first, len(AREAS) - sum(first), len(AREAS)]
    assert len(AREAS) < DOCUMENTS_AT_ONCE


def test_a_document_larger_than_all_that_may_be_held_is_settled_alone() -> None:
    store = Watched()
    settled(store, accts=96, max_items=50, rounds=1)
    assert set(store.written[PORTIONS:]) == {1}


@pytest.mark.parametrize("accts", [3, STEP_SIZE + 5 * PART_SIZE])
def test_what_is_taken_for_new_and_is_not_is_counted_once(accts: int) -> None:
    """Two instances count a new hour, of more accts than go into one version; the slower one has a message more."""
    store, area = Watched(), next(iter(AREAS))
    first, second = settler_of(store), settler_of(store)
    for settler in (first, second):
        settler.settle(changed(1, [0], [area]))
    store.asked.clear()
    first.settle(changed(2, range(accts), [area], NOON + HOUR))
    assert not store.asked
    both = changed(2, range(accts), [area], NOON + HOUR)
    for key, deltas in changed(3, range(accts, 2 * accts), [area], NOON + HOUR).deltas[BOLT.name].items():
        both.deltas[BOLT.name][key] += deltas
    both.heads = {BOLT.name: {TOPIC: Head(3, 0, 0)}}
    second.settle(both)
    id_ = f"{area}:{NOON + HOUR}"
    assert store.asked[0] == id_
    found = store.whole(BOLT.name, store.load(BOLT.name, [id_])[id_])
    assert found["count"] == found["amount"] == 2 * accts
    assert sorted(map(int, found[BOLT.list_fields[0]])) == list(range(2 * accts))


def test_what_may_be_there_is_asked_for() -> None:
    """In an area that nothing is known of, and in an hour that has begun already, or is over."""
    store, areas = Watched(), list(AREAS)[:2]
    settler_of(store).settle(changed(1, [0], areas))
    later = settler_of(store)
    for number, (area, ts) in enumerate([(0, NOON), (1, NOON), (0, NOON + HOUR), (0, NOON - HOUR)], 2):
        later.settle(changed(number, [0], [areas[area]], ts))
    ids = [f"{area}:{NOON}" for area in areas]
    assert store.asked == [*ids, *ids, f"{areas[0]}:{NOON - HOUR}"]
    assert [store.load(BOLT.name, [id_])[id_]["count"] for id_ in ids] == [2, 2]


def test_where_the_store_fails_nothing_is_on_its_way_any_more() -> None:
    store = Watched()
    settler = settler_of(store, max_items=50)
    store.failures = 1
    with pytest.raises(Unavailable):
        settler.settle(changed(1, range(2)))
    tried = len(store.written)
    gevent.sleep(0.05)
    assert len(store.written) == tried == PORTIONS
    settler.settle(changed(1, range(2)))
    assert [one["amount"] for one in store.find(BOLT.name)] == [2] * len(AREAS)


def test_of_two_faults_at_once_lost_writes_are_the_one_that_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults = iter([PartlyIncluded("half as far"), LostWrites(BOLT.name, "less", {})])

    def fail(*_: Any) -> list[Any]:
        if fault := next(faults, None):
            raise fault
        return []

    monkeypatch.setattr(Writer, "settle", fail)
    with pytest.raises(LostWrites):
        settler_of(Watched()).settle(changed(1, [0]))


def test_two_portions_are_on_their_way_and_one_that_is_killed_leaves_none() -> None:
    store = Watched()
    settling = gevent.spawn(settler_of(store, max_items=50).settle, changed(1, range(2)))
    while len(store.written) < PORTIONS:
        gevent.sleep(0)
    settling.kill()
    tried = len(store.written)
    gevent.sleep(0.05)
    assert len(store.written) == tried
