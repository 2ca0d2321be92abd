"""What a rebuild removes counts in no total any more: the node ``timers`` hears of it."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from runtime_harness import Kept

from analytics.bolts import BOLTS
from analytics.broker.wire import Message, MessageHeader
from analytics.core.areas import Area, Areas
from analytics.core.bolt import CHANGES
from analytics.core.periods import zone
from analytics.core.timer_sources import READ_BY_TIMERS
from analytics.rebuild.check import Check, DocumentCounts
from analytics.rebuild.notes import Notes
from analytics.rebuild.write import DocumentWriter, marks_of
from analytics.runtime.marks import reports_changes
from analytics.runtime.outlet import Outlet
from analytics.runtime.timers.dirty import KINDS, Dirty
from analytics.store import MemoryStore, Write

A = "549140c8dbdb67794fc0fa3b"
DAY = 1420646400
DAY_NUMBER = date(2015, 1, 8).toordinal()
AREAS = Areas([Area(A, "dl", "1", zone("Asia/Shanghai"))])
COINDAY = BOLTS["coinday"]
STORED = {"game": "dl", "area": A, "plat": "1", "ts": DAY, "amount": 5, "_at": {"log": "log", "topics": {}}}


class Marks(Kept):
    def marks(self) -> list[tuple[str, str, list[int]]]:
        found = []
        for batch in self.batches:
            assert [part.topic for part in batch.header.parts] == [CHANGES]
            for line in batch.bodies[0].split(b"\n"):
                one = msgspec.json.decode(line)
                found.append((one["bolt"], one["game"], one["ts"]))
        return found


@pytest.fixture
def publisher() -> Marks:
    return Marks()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def writer(publisher: Marks, store: MemoryStore) -> DocumentWriter:
    outlet, tail = Outlet(publisher, "test"), cast(Any, None)
    return DocumentWriter(AREAS, store, tail, outlet, Notes(None), lambda change: None, DocumentCounts())


def test_a_document_that_no_worker_can_use(
    publisher: Marks, store: MemoryStore, writer: DocumentWriter
) -> None:
    id_ = f"{A}:{DAY}"
    document = {"_id": id_, **STORED, "_v": "x"}
    store.write("coinday", [Write(id_, document, None)])
    assert writer.act(cast(Any, None), COINDAY, {id_: Check(None, document, None)}) == [id_]
    assert not store.load("coinday", [id_])
    assert publisher.marks() == [("coinday", "dl", [DAY])]


@pytest.mark.parametrize("name", ["loginday", "signupday", "paysummary"])
def test_a_day_that_is_gone_is_not_computed_with_any_more(
    publisher: Marks, store: MemoryStore, writer: DocumentWriter, name: str
) -> None:
    """The node has read it, and keeps that until a change is reported."""
    group = cast(Any, SimpleNamespace(area=AREAS[A], versions={}))
    writer._tail = cast(Any, SimpleNamespace(log="log", numbers=dict.fromkeys(BOLTS[name].reads, 0)))
    id_ = f"{A}:{DAY}"
    document = {"_id": id_, **STORED, "_v": 3}
    store.write(name, [Write(id_, document, None)])
    assert writer.act(group, BOLTS[name], {id_: Check(None, document, None)}) == []
    assert not store.load(name, [id_])
    assert publisher.marks() == [(name, "dl", [DAY])]
    dirty = Dirty()
    for batch in publisher.batches:
        header = MessageHeader("log", 1, 1, 1, 0, "source", [], 0.0)
        dirty.note(Message(CHANGES, header, batch.bodies[0]), AREAS, ())
    assert dirty and dirty.days == {(KINDS[name], A, DAY_NUMBER): 0}


def test_a_time_that_no_period_begins_at_hides_no_other(writer: DocumentWriter) -> None:
    """The node takes no tuple with such a time."""
    checks = [Check(None, {**STORED, "ts": ts}, None) for ts in (5, DAY, True, None)]
    found = marks_of(COINDAY, AREAS, [f"{A}:7", f"{A}:{DAY + 1}"], checks)
    assert [(one["bolt"], one["game"], one["ts"]) for one in found] == [("coinday", "dl", [DAY, DAY + 1])]


def test_a_document_of_a_foreign_id(publisher: Marks, store: MemoryStore, writer: DocumentWriter) -> None:
    document = {"_id": 7, **STORED, "_v": 1}
    store.write("coinday", [Write(cast(Any, 7), document, None)])
    writer.remove_foreign(COINDAY, document)
    assert not list(store.ids("coinday"))
    assert publisher.marks() == [("coinday", "dl", [DAY])]


def test_the_node_hears_of_every_bolt_with_totals() -> None:
    """It reads what built-in bolts publish, but not what a bolt of the configuration does."""
    own = replace(BOLTS["loginhour"], name="own_hour")
    assert own.publishes
    for bolt in [own, *BOLTS.values()]:
        if bolt.totals:
            assert reports_changes(bolt) != (bolt.name in READ_BY_TIMERS)
