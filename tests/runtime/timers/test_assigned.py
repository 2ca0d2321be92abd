"""Documents of values, while several groups of them are computed at once, and while another instance has other segments."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from timer_harness import A, C

from analytics.core.areas import Area, Areas
from analytics.core.bolt import joined
from analytics.core.periods import zone
from analytics.core.segments import PROPERTIES, Segment
from analytics.runtime.timers.facts import FactsReader
from analytics.runtime.timers.position import Overtaken
from analytics.runtime.timers.scopes import area_scope, divided, start_of
from analytics.runtime.timers.strays import remove_undeclared
from analytics.store import Document, MemoryStore, Write
from analytics.timers.facts import NEVER, Clock

SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas([Area(A, "dl", "1", SHANGHAI), Area(C, "dl", "2", SHANGHAI)])
CHANNEL = Segment("channel", "signup_logcount", "channel", ("a", "b"))
DEVICE = Segment("device", "signup_logcount", "device", ("a", "b"))
DAY = 735_000


class Reads(MemoryStore):
    """Notes which documents were read with their lists."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def whole(self, collection: str, document: Document) -> Document:
        self.read.append(document["_id"])
        return super().whole(collection, document)


def test_by_hand_tables_are_read_again_only_where_a_version_differs() -> None:
    store, segments = Reads(), {"dl": (CHANNEL,)}

    def put(area: str, version: int, *accts: str) -> None:
        ts = start_of(SHANGHAI, DAY)
        rows = [[acct, [ts, n, "log"], "a"] for n, acct in enumerate(accts)]
        key = {"area": area, "game": "dl", "ts": ts, "segment": "channel", "from": CHANNEL.source}
        document = {**key, "users": len(rows), "_accts": rows, "_v": version}
        store.write(PROPERTIES, [Write(f"{area}:{ts}:channel:{CHANNEL.source}", document, version - 1)])

    put(A, 1, "ann")
    put(C, 1, "ben")
    facts = FactsReader(store, AREAS, segments)
    scopes = divided([area_scope(AREAS[A]), area_scope(AREAS[C])], segments)

    def known() -> list[list[int]]:
        facts.doubt()
        found = []
        for scope in scopes:
            facts.load_values(scope)
            split = facts.facts(scope, Clock(DAY + 9, DAY + 8), None, None).split
            assert split is not None
            found.append(split.since.tolist())
        return found

    assert known() == known() == [[DAY], [DAY]]
    assert len(store.read) == 2
    put(C, 2, "ben", "carl")
    assert known() == [[DAY], [DAY, DAY]]
    assert len(store.read) == 3


class Slow(MemoryStore):
    """Lets others run before each document, as a server does."""

    def find(self, *args: Any, **more: Any) -> Iterator[Document]:
        for document in super().find(*args, **more):
            gevent.sleep(0.001)
            yield document


def test_no_group_computes_with_what_a_day_has_lost() -> None:
    """A rebuild may take an acct away from a day. While one group reads all days again, another may look at the same area."""
    store = Slow()
    segments = {"dl": (CHANNEL, DEVICE)}

    def put(day: int, *rows: tuple[str, str]) -> None:
        for one in segments["dl"]:
            ts = start_of(SHANGHAI, day)
            id_ = joined((A, ts, one.name, one.source))
            accts = [[acct, [ts, n, "log"], value] for n, (acct, value) in enumerate(rows)]
            document = {
                "_id": id_, "area": A, "ts": ts, "segment": one.name, "from": one.source, "users": len(accts), "_accts": accts, "_v": 1,
            }  # fmt: skip
            store.write(PROPERTIES, [Write(id_, document, None)])

    put(DAY, ("ann", "a"), ("ben", "a"))
    put(DAY + 1, ("ben", "b"))
    facts = FactsReader(store, AREAS, segments)
    scopes = divided([area_scope(AREAS[A])], segments)

    def since(scope: Any) -> list[int]:
        facts.load_values(scope)
        split = facts.facts(scope, Clock(DAY + 9, DAY + 8), None, None).split
        assert split is not None
        return split.since.tolist()

    assert [since(scope) for scope in scopes] == [[DAY, DAY]] * 2
    put(DAY)
    facts.forget("segment", A, DAY)
    found = [gevent.spawn(since, scope) for scope in scopes]
    gevent.joinall(found, raise_error=True)
    assert [one.value for one in found] == [[NEVER, DAY + 1]] * 2


def test_an_instance_that_was_overtaken_removes_nothing() -> None:
    """It was stalled, and another one has more values by now."""
    store, scope = MemoryStore(), area_scope(AREAS[A])
    ids = [f"{A}:{start_of(SHANGHAI, DAY)}:channel:{value}" for value in ("a", "new")]
    store.write("kpi_segment", [Write(id_, {"_id": id_, "_v": 1}, 0) for id_ in ids])

    def overtaken() -> None:
        raise Overtaken("another instance has gone on")

    def rewritten() -> None:
        store.write("kpi_segment", [Write(ids[1], {"_id": ids[1], "_v": 2}, 1)])

    with pytest.raises(Overtaken):
        remove_undeclared(store, [scope], {"dl": (CHANNEL,)}, overtaken)
    remove_undeclared(store, [scope], {"dl": (CHANNEL,)}, rewritten)
    assert list(store.ids("kpi_segment")) == ids
    remove_undeclared(store, [scope], {"dl": (CHANNEL,)}, lambda: None)
    assert list(store.ids("kpi_segment")) == ids[:1]
