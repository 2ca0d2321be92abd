"""Status, the metrics and `drain` where an engine counts: from the store and the journals' ends alone."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import generate_latest

from analytics.app import UnknownNode, build
from analytics.cli.console import Console
from analytics.cli.status import _show
from analytics.cluster import LocalRegistry, NodeEntry
from analytics.config import Config, EngineSection, GamelogSection, Source, TimersSection
from analytics.runtime import draining, report
from analytics.runtime.draining import NotDrained, drain
from analytics.runtime.nodes import needed
from analytics.spouts.ends import Ends, report_rejected
from analytics.store import MemoryStore, Write
from analytics.system.processes import process_started
from analytics.web.metrics import registry

JOURNAL = "gamelog_202601010000.txt"
POSITION = {
    "id": "a", "batch": 3, "frozen": False, "ends": [[JOURNAL, 80]], "at": 1000.0, "repeated": 2, "_v": 7,
    "records": [["gamelog.login_logcount", 9], ["gamelog.strange", 1], ["payment", 4]],
    "sources": [["gamelog/a", 7], ["gamelog/b", 3], ["payment", 4]], "held": "a backfill",
}  # fmt: skip


class KeptStore(MemoryStore):
    def close(self) -> None:
        """Stay."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> KeptStore:
    found = KeptStore()
    for module in (report, draining):
        monkeypatch.setattr(module, "open_store", lambda config, patience=0.0: found)
    return found


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        data=tmp_path,
        engine=EngineSection(kind="local"),
        gamelog=GamelogSection(sources=[Source(name="a", kind="file", path="/x")]),
    )


def beat(config: Config, name: str, role: str, **state: Any) -> None:
    entry = NodeEntry(
        name=name, role=role, host="h", pid=1, started=process_started(1), version="1", since=time.time(),
        beat=time.time() + 60, state=state,
    )  # fmt: skip
    LocalRegistry(config.data).beat(entry)


def spout(config: Config, journaled: int = 10) -> None:
    counts = {"read": 11, "journaled": journaled, "rejected": 1, "repeated": 0, "published": journaled}
    beat(config, "gamelog", "spout", **counts, idle=True, sources={})


def counted(store: KeptStore, **changes: Any) -> None:
    store.write("positions", [Write("engine", {**POSITION, **changes}, None)])


def timers_at(store: KeptStore, batch: int) -> None:
    saved = {"log": "engine:a", "topics": [["changes", batch, 0, 0], ["loginday", batch, 0, 0]]}
    store.write("positions", [Write("timers", saved, None)])


def test_the_engine_takes_the_place_of_broker_and_workers(config: Config) -> None:
    assert {"engine", "timers", "gamelog"} < set(needed(config)) and not {"broker", "main"} & set(
        needed(config)
    )
    with pytest.raises(UnknownNode, match="run engine"):
        build(["broker"], config)
    with pytest.raises(UnknownNode, match=r'engine\.kind to be "local"'):
        build(["engine"], Config())


def test_status_and_metrics_say_how_far_the_engine_is(config: Config, store: KeptStore) -> None:
    counted(store)
    timers_at(store, 2)
    spout(config)
    beat(config, "engine", "bolts", lag_seconds=4.5, executors=2, tasks_lost=1, error="")
    Ends(config, "gamelog").report({JOURNAL: 100})
    report_rejected(config.data, {"gamelog/b": 1, "gamelog/c": 2})
    found = report.report(config)
    assert found.engine is not None and found.balance is not None and not found.balance.faults
    assert (found.engine.batch, found.engine.timers_batch, found.engine.waiting_bytes) == (3, 2, 20)
    assert found.engine.oldest == (JOURNAL, 80)
    assert (found.lag, found.lag_seconds) == (None, 4.5)
    assert {one.name: one.ever_accepted for one in found.balance.spouts} == {"gamelog": 10, "payment": 4}
    assert [one.op_code for one in found.unread] == ["strange"]
    shares = [(one.spout, one.source, one.accepted, one.percent) for one in found.shares]
    expected = [
        ("gamelog", "a", 7, 0),
        ("gamelog", "b", 3, 25),
        ("gamelog", "c", 0, 100),
        ("payment", "", 4, 0),
    ]
    assert shares == expected
    text = generate_latest(registry(config, lambda: found)).decode()
    for line in (
        "analytics_engine_batches_total 3.0",
        "analytics_engine_waiting_bytes 20.0",
        "analytics_engine_lag_seconds 4.5",
        "analytics_engine_executors 2.0",
        'analytics_topic_records_total{topic="payment"} 4.0',
        'analytics_source_accepted_records_total{source="a",spout="gamelog"} 7.0',
        'analytics_source_rejected_records_total{source="b",spout="gamelog"} 1.0',
    ):
        assert line in text
    printed = io.StringIO()
    _show(found, Console(file=printed, width=400))
    for words in (
        "Batches wait for a backfill, or for `bin/analytics forget`.",
        "Counted by source: gamelog a 7, payment 4, gamelog b 3, gamelog c 0.",
        "Source b (gamelog): 1 of 4 records rejected so far (25 %); `bin/analytics rejected` lists those",
    ):
        assert words in printed.getvalue()


def test_what_a_spout_does_not_account_for_is_a_fault(config: Config, store: KeptStore) -> None:
    counted(store)
    spout(config, journaled=7)
    found = report.report(config)
    assert found.balance is not None
    assert found.balance.faults == ["gamelog: read 11, but journaled 7 and rejected 1"]


def test_drain_waits_for_the_journals_and_for_timers(config: Config, store: KeptStore) -> None:
    spout(config)
    ends = Ends(config, "gamelog")
    ends.report({JOURNAL: 80, "gamelog_202601010001.txt": 0})
    counted(store)
    timers_at(store, 3)
    drain(config, 60)
    timers_at(store, 2)
    with pytest.raises(NotDrained, match="batches in timer bolts: 1"):
        drain(config, 0.2)
    drain(replace(config, timers=TimersSection(every_seconds=0)), 60)
    ends.report({JOURNAL: 95})
    shown: list[int] = []
    with pytest.raises(NotDrained, match="bytes of journals: 15"):
        drain(config, 0.2, shown.append)
    assert 15 in shown
