"""What a backfill makes of stored documents that are missing, wrong or right, while a driver waits."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from databases import Database
from msgspec.structs import replace
from near_engine import InlineEngine, NearEngine, differing
from near_suite import config_of
from raw_months import FIRST_DAYS, divided_world, sent

from analytics.config import BrokerSection, Config, catalogue
from analytics.core.numberset import NumberSet
from analytics.engine import extra, live
from analytics.engine.backfill import Backfill, BackfillResult
from analytics.engine.context import Context
from analytics.engine.engines import BatchEngine
from analytics.engine.engines.local import LocalEngine
from analytics.engine.journals import ClosedJournals
from analytics.engine.position import DriverOvertaken, EnginePosition
from analytics.errors import AnalyticsError
from analytics.rebuild.selection import Selection
from analytics.runtime import engine_changes
from analytics.spouts import ends
from analytics.store import Store, Write, open_store

RECORDS = [one.record for one in sent(3, FIRST_DAYS)][:600]


@pytest.fixture
def config(tmp_path: Path, database: Database) -> Config:
    """A configuration whose documents lie on the shared server."""
    return replace(config_of(divided_world(), tmp_path, BrokerSection()), mongodb=database.section)


def backfill(
    engine: NearEngine, bolts: Iterable[str] = (), tasks: BatchEngine | None = None
) -> BackfillResult:
    """Derive documents of these bolts, or of all."""
    bolts = tuple(bolts or catalogue(engine.config))
    wanted = Selection(bolts, (), catalogue(engine.config))
    runs = tasks or LocalEngine(engine.config.engine.tasks)
    return Backfill(engine.config, engine.store, runs, engine.config.data, wanted, lambda text: None).run()


def spoil(store: Store, config: Config, random: Random) -> set[tuple[str, str]]:
    """Change, delete, shorten and damage some documents of every bolt, as somebody with a client would; return which."""
    spoilt = set()
    for name, bolt in catalogue(config).items():
        found = list(store.find(name))
        for one in random.sample(found, min(3, len(found))):
            changed: dict[str, Any] = dict(one)
            if random.random() < 0.4:
                store.delete(name, [one["_id"]])
            elif random.random() < 0.3:
                damage = random.choice([{"_at": {"log": 7}}, {"_v": "seven"}])
                store.write(name, [Write(one["_id"], changed | damage, None)])
            elif bolt.list_fields and random.random() < 0.5 and any(one[field] for field in bolt.list_fields):
                # The last entry counts: an earlier one may have been superseded.
                changed |= {field: one[field][:-1] for field in bolt.list_fields}
                store.write(name, [Write(one["_id"], changed, None)])
            else:
                changed["plat"] = "someone else's"
                store.write(name, [Write(one["_id"], changed, None)])
            spoilt.add((name, one["_id"]))
    return spoilt


def test_what_is_spoilt_is_derived_again_and_batches_go_on(config: Config) -> None:
    """Documents of bolts that read bolts as well; what was right stays untouched; repeats count once."""
    random = Random(4)
    store = open_store(config)
    engine = NearEngine(config, random, 50_000, 200_000, store)
    driver = engine.driver()
    for begin in range(0, 400, 200):
        engine.journal(RECORDS[begin : begin + 200] + random.sample(RECORDS[: begin + 100], 40))
        engine.finish(driver)
    versions = {(name, one["_id"]): one["_v"] for name in catalogue(config) for one in store.find(name)}
    spoilt = spoil(store, config, random)
    before = EnginePosition(store).load()
    result = backfill(engine)
    assert differing(engine.expected(), engine.documents()) == []
    assert result.gaps == []
    assert not result.derived.refused and not result.derived.left_out
    assert result.derived.changed.total() >= len(spoilt)
    after = {(name, one["_id"]): one["_v"] for name in catalogue(config) for one in store.find(name)}
    touched = {key for key in versions if after[key] != versions[key]}
    assert spoilt <= touched
    position = EnginePosition(store).load()
    assert (position.batch, position.held) == (before.batch + 1, "")
    changes = engine_changes.read(store, position.batch)
    assert changes is not None
    reported = {(bolt, area) for bolt, area, _ in changes}
    bolts = catalogue(config)
    assert reported == {
        (name, id_.partition(":")[0])
        for name, id_ in touched
        if bolts[name].period and (bolts[name].publishes or bolts[name].totals)
    }
    again = backfill(engine)
    assert again.derived.changed.total() == 0
    engine.journal(RECORDS[400:] + random.sample(RECORDS, 50))
    with pytest.raises(DriverOvertaken):
        driver.step()
    engine.finish(driver)
    assert differing(engine.expected(), engine.documents()) == []
    store.close()


def test_a_backfill_that_dies_holds_batches_for_a_while(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(config)
    engine = NearEngine(config, Random(5), 50_000, 200_000, store)
    driver = engine.driver()
    engine.journal(RECORDS[:100])
    engine.finish(driver)
    position = EnginePosition(store)
    position.hold(position.load(), "somebody who is gone")
    engine.journal(RECORDS[100:200])
    with pytest.raises(DriverOvertaken):
        driver.step()
    assert not driver.step()
    assert differing(engine.expected(), engine.documents()) != []
    monkeypatch.setattr(live, "HELD_SECONDS", 0.0)
    while not driver.step():
        pass
    engine.finish(driver)
    assert differing(engine.expected(), engine.documents()) == []
    assert engine_changes.read(store, 2) is None, "anything may have changed"
    store.close()


@pytest.mark.parametrize("kept", [True, False])
def test_lost_writes_that_show_within_a_batch_are_repaired(config: Config, kept: bool) -> None:
    """The batch has begun: it is finished, so that a backfill can run. With ``kept`` unset, journals do not have all any more."""
    store = open_store(config)
    engine = NearEngine(config, Random(6), 50_000, 200_000, store)
    driver = engine.driver()
    for begin in (0, 100):
        engine.journal(RECORDS[begin : begin + 100])
        engine.finish(driver)
    store.delete("loginday", list(store.ids("loginday")))
    engine.journal(RECORDS[200:300])
    position = EnginePosition(store)
    for _ in range(2):
        with pytest.raises(AnalyticsError, match="lost acknowledged writes"):
            engine.finish(driver)
        driver = engine.driver()
    assert position.load().batch == 3 and not position.load().frozen
    if not kept:
        store.write(
            "engine_seen", [Write("0:gamelog/gone@1", {"numbers": NumberSet([(1, 9)]).dump(), "_v": 1}, 0)]
        )
    assert bool(backfill(engine).gaps) is not kept
    engine.finish(engine.driver())
    assert (differing(engine.expected(), engine.documents()) == []) is kept
    store.close()


@pytest.mark.parametrize("whole", [True, False])
def test_what_batches_passed_over_counts_everywhere_or_nowhere(tmp_path: Path, whole: bool) -> None:
    """Some records were none by the mapping of then: they lie in journals, in no document, and are not known as counted."""
    engine = NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(7), 50_000, 200_000)
    engine.journal(RECORDS[:200])
    engine.finish(engine.driver())
    before = engine.documents()
    passed_over = Random(7).sample(RECORDS[200:400], 20)
    position = EnginePosition(engine.store)
    engine.journal(passed_over)
    position.commit(dataclasses.replace(position.load(), ends=ends.durable_ends(tmp_path)))
    tasks = InlineEngine(engine.store, engine.random)
    result = backfill(engine, () if whole else ["loginhour", "coinday"], tasks)
    assert (result.uncounted, result.whole, result.gaps) == (20, whole, [])
    assert differing(engine.expected() if whole else before, engine.documents()) == []
    engine.journal(passed_over)
    engine.finish(engine.driver())
    assert differing(engine.expected(), engine.documents()) == []


def test_tasks_that_run_twice_have_timers_compute_everything(tmp_path: Path) -> None:
    """The one whose word counts may find right what the other has written."""
    engine = NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(8), 50_000, 200_000)
    engine.journal(RECORDS[:200])
    engine.finish(engine.driver())
    spoil(engine.store, engine.config, Random(8))
    tasks = InlineEngine(engine.store, engine.random)
    tasks.twice = 0.5
    backfill(engine, (), tasks)
    assert differing(engine.expected(), engine.documents()) == []
    assert engine_changes.read(engine.store, EnginePosition(engine.store).load().batch) is None


def test_an_idle_driver_leaves_the_cluster_to_a_backfill(tmp_path: Path) -> None:
    engine = NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(9), 50_000, 200_000)
    engine.journal(RECORDS[:50])
    steps = []

    class Tasks(InlineEngine):
        def start(self, context: Context) -> None:
            super().start(context)
            steps.append("start")

        def close(self) -> None:
            steps.append("close")

    driver = engine.driver(engine=Tasks(engine.store, engine.random))
    engine.finish(driver)
    position = EnginePosition(engine.store)
    held = position.hold(position.load(), "a backfill")
    for _ in range(3):
        assert not driver.step()
    assert steps == ["start", "close"]
    position.release(held)
    engine.journal(RECORDS[50:60])
    engine.finish(driver)
    assert steps == ["start", "close", "start"]
    assert differing(engine.expected(), engine.documents()) == []


def test_journals_that_are_counted_leave_the_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position is written with every batch. A backfill finds them, and so does a driver to whom they are reported again."""
    monkeypatch.setattr(ends, "ALWAYS_REPORTED", 2)
    engine = NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(10), 50_000, 200_000)
    driver, position = engine.driver(), EnginePosition(engine.store)
    for begin in range(0, 200, 25):
        engine.journal(RECORDS[begin : begin + 25])
        engine.finish(driver)
        ends.report_counted(tmp_path, {**ClosedJournals(engine.store).ends(), **position.load().ends})
    names = {*engine._files}
    closed = ClosedJournals(engine.store).ends()
    assert len(position.load().ends) < 6 < len(names) == len({*closed, *position.load().ends})
    result = backfill(engine, (), InlineEngine(engine.store, engine.random))
    assert (result.journals, result.gaps, result.derived.changed.total()) == (len(names), [], 0)
    (tmp_path / "ends" / "counted.json").unlink()
    engine.journal([])
    driver = engine.driver()
    assert not driver.step() and driver.state()["waiting_bytes"] == 0
    assert position.load().ends.keys() == names
    assert differing(engine.expected(), engine.documents()) == []


@pytest.mark.parametrize("many", [False, True])
def test_documents_that_no_record_supports_are_removed_unless_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    engine = NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(11), 50_000, 200_000)
    engine.journal(RECORDS[:200])
    engine.finish(engine.driver())
    for name in ("loginhour", "userpay", "coinday"):
        document = dict(next(engine.store.find(name)))
        document["_id"] += "9"
        engine.store.write(name, [Write(document["_id"], document, 0)])
    if many:
        monkeypatch.setattr(extra, "FEW", 0)
    result = backfill(engine, (), InlineEngine(engine.store, engine.random))
    counts = {"loginhour": 1, "userpay": 1, "coinday": 1}
    if many:
        assert result.spared and not result.removed.keys() & result.spared.keys()
    else:
        assert (result.removed, result.derived.changed.total()) == (counts, 0)
    assert result.removed + result.spared == counts
    assert bool(differing(engine.expected(), engine.documents())) is many
