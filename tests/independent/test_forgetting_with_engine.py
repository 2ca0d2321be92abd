"""Forgetting accts where an engine counts: documents and journals are as if the accts had always had other names."""

import dataclasses
import gzip
import shutil
from pathlib import Path
from random import Random
from typing import Any

import bson
import pytest
from databases import Database
from journaling_suite import Killed
from msgspec.structs import replace
from near_engine import Died, InlineEngine, NearEngine, SteppedStore, differing
from near_suite import config_of
from other_names import ACCTS, DAYS, GHOST, LONE, mortal, renamed
from raw_months import divided_world, sent

from analytics.config import BrokerSection, Config, EngineSection, catalogue
from analytics.engine.backfill import Backfill, BackfillResult
from analytics.engine.blocks import HalfForgotten
from analytics.engine.engines import BatchEngine
from analytics.engine.engines.local import LocalEngine
from analytics.engine.hold import Hold
from analytics.engine.position import FORGETTING, EnginePosition, Plan
from analytics.errors import AnalyticsError
from analytics.forget import engine as forget_engine
from analytics.forget.known import known_of
from analytics.forget.run import forget
from analytics.rebuild.selection import Selection
from analytics.spouts.acknowledging import why_held_back
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.store import POSITIONS, MemoryStore, Store, Write, open_store

RECORDS = [one.record for one in sent(5, DAYS)]


def backfill(engine: NearEngine, tasks: BatchEngine) -> BackfillResult:
    wanted = Selection(tuple(catalogue(engine.config)), (), catalogue(engine.config))
    run = Backfill(engine.config, engine.store, tasks, engine.config.data, wanted, lambda text: None)
    return run.run()


def everything(folder: Path, store: Store) -> dict[str, bytes]:
    """Return all that is on the disk and in the store, by where it is."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    found = {str(path): path.read_bytes() for path in paths}
    found |= {name: gzip.decompress(text) for name, text in found.items() if name.endswith(".gz")}
    for name in store.collections():
        for id_ in {*store.ids(name)} - {"barrier"}:
            found[f"{name}/{id_}"] = bson.encode(store.load(name, [id_])[id_])
    return found


def pack(path: Path) -> None:
    with gzip.open(f"{path}.gz", "wb") as packed:
        packed.write(path.read_bytes())
    path.unlink()


def names_in(data: Path) -> dict[str, str]:
    forgotten = Forgotten.load(data / FILE)
    assert forgotten is not None
    return {acct: str(forgotten.of(acct)) for acct in ACCTS}


def inline(tmp_path: Path, records: int = 200) -> NearEngine:
    engine = NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(3), 50_000, 200_000)
    engine.journal(RECORDS[:records])
    return engine


def refused(engine: NearEngine, because: str, config: Config | None = None) -> None:
    before = everything(engine.config.data, engine.store)
    with pytest.raises(AnalyticsError, match=because):
        forget(config or engine.config, engine.store, [GHOST])
    assert everything(engine.config.data, engine.store) == before


@pytest.mark.parametrize("real", [True, False])
def test_all_is_as_if_the_accts_had_had_other_names(
    real: bool, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journals are plain, gzipped, and not counted yet. ``real``: with processes and a server; otherwise it is killed at many steps."""
    config = config_of(divided_world(), tmp_path, BrokerSection())
    store: Store = MemoryStore()
    if real:
        config = replace(config, mongodb=database.section)
        store = open_store(config)
    engine = NearEngine(config, Random(3), 50_000, 200_000, store)

    def tasks() -> BatchEngine:
        return LocalEngine(2) if real else InlineEngine(store, engine.random)

    third = len(RECORDS) // 3
    driver = engine.driver(engine=tasks())
    for begin in (0, third):
        engine.journal(RECORDS[begin : begin + third])
        engine.finish(driver)
    driver.close()
    pack(min(tmp_path.glob("gamelog_*.txt")))
    engine.journal(RECORDS[2 * third :])
    left = tmp_path / "engine" / "1-1-killed"
    left.mkdir(parents=True)
    (left / "0.1").write_bytes(GHOST.encode())
    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("*_*.txt")}
    before = everything(tmp_path, store)
    assert all(any(acct.encode() in text for text in before.values()) for acct in (LONE, GHOST))
    position = EnginePosition(store)
    counted = position.load()
    assert any(GHOST in id_ for some in counted.written.values() for id_ in some), "ids that are to be found"
    dry = forget(engine.config, store, ACCTS, dry=True)
    assert everything(tmp_path, store) == before

    kills = 0
    with monkeypatch.context() as killing:
        if not real:
            mortal(killing, store, Random(2))
        while True:
            try:
                report = forget(engine.config, store, () if (tmp_path / "forgetting").exists() else ACCTS)
                break
            except Killed:
                kills += 1
                if (tmp_path / "forgetting").exists():
                    assert "forget" in why_held_back(engine.config)
                if position.load().held == FORGETTING:
                    with pytest.raises((HalfForgotten, Killed)):
                        engine.driver(engine=InlineEngine(store, engine.random)).step()
                    with pytest.raises(HalfForgotten):
                        Hold(position).begin()
    assert real or kills > 3
    assert why_held_back(engine.config) == ""
    assert report.forgotten == len(ACCTS)
    assert dry.documents.keys() >= {"loginday", "paysummary", "userpay", "usercenter", POSITIONS}
    assert {path.name: path.stat().st_size for path in tmp_path.glob("*_*.txt")} == sizes
    after = everything(tmp_path, store)
    for acct in (LONE, GHOST):
        assert [where for where, text in after.items() if acct.encode() in text] == []
    assert forget(engine.config, store, ACCTS).places == {}
    saved = position.load()
    assert (saved.batch, saved.ends, saved.held) == (counted.batch, counted.ends, "")

    names = names_in(tmp_path)
    engine.written = [renamed(record, names) for record in engine.written]
    driver = engine.driver(engine=tasks())
    engine.finish(driver)
    assert differing(engine.expected(), engine.documents()) == []
    # What is sent again is a repeat, whatever it says.
    written, batch = list(engine.written), position.load().batch
    engine.journal(RECORDS[:third])
    engine.finish(driver)
    driver.close()
    assert position.load().batch > batch
    engine.written = written
    assert differing(engine.expected(), engine.documents()) == []
    result = backfill(engine, tasks())
    assert (result.derived.changed.total(), result.gaps, result.removed.total()) == (0, [], 0)
    store.close()


def test_journals_of_all_hosts_are_replaced(tmp_path: Path) -> None:
    """Also those of a host that is gone. Storage that is not mounted is missed before anything is changed."""
    shared, data = tmp_path / "shared", tmp_path / "data"
    shared.mkdir()
    data.mkdir()
    engine = inline(shared)
    for host, spout in (("web1", "gamelog"), ("gone", "payment")):
        (shared / host / "ends").mkdir(parents=True)
        for path in shared.glob(f"{spout}_*.txt"):
            path.rename(shared / host / path.name)
    shutil.copy(shared / "ends" / "test.json", shared / "web1" / "ends" / "gamelog.json")
    here = {path.name: path.stat().st_size for path in (shared / "gone").glob("payment_*")}
    gone = {name: end for name, end in engine._files.items() if name in here}
    engine._ends._path = shared / "gone" / "ends" / "payment.json"
    engine._ends.report(gone)
    shutil.rmtree(shared / "ends")
    kept = {name: end for name, end in engine._files.items() if name.startswith("gamelog")}
    engine._ends._path = shared / "web1" / "ends" / "gamelog.json"
    engine._ends.report(kept)
    engine.finish(engine.driver())
    pack(min((shared / "web1").glob("gamelog_*.txt")))
    config = replace(engine.config, data=data, engine=EngineSection(kind="local", shared=str(shared)))
    assert {one["file"][:7] for one in known_of(config, engine.store, GHOST) if "file" in one} >= {"payment"}
    away = shared.rename(tmp_path / "away")
    shared.mkdir()
    refused(engine, "mounted", config)
    shared.rmdir()
    away.rename(shared)
    forget(config, engine.store, ACCTS)
    assert not (shared / "forgetting").exists()
    found = everything(tmp_path, engine.store)
    for acct in (LONE, GHOST):
        assert [where for where, text in found.items() if acct.encode() in text] == []
    names = names_in(data)
    engine.written = [
        renamed(record, names) for record in engine.written if not record[0].startswith("syncuser")
    ]
    assert differing(engine.expected(), engine.documents()) == []


def test_a_batch_that_has_begun_is_to_be_finished_first(tmp_path: Path) -> None:
    engine = inline(tmp_path)
    store = SteppedStore(engine.store)
    store.at = ("loginday", 1)

    def die() -> None:
        raise Died

    store.event = die
    with pytest.raises(Died):
        engine.finish(engine.driver(store))
    refused(engine, r"batch 1 of the engine has begun,.*analytics drain")
    engine.finish(engine.driver())
    forget(engine.config, engine.store, ACCTS)
    names = names_in(tmp_path)
    engine.written = [renamed(record, names) for record in engine.written]
    assert differing(engine.expected(), engine.documents()) == []


def test_a_plan_of_another_configuration_is_to_be_executed_first(tmp_path: Path) -> None:
    engine = inline(tmp_path)
    engine.finish(engine.driver())
    position = EnginePosition(engine.store)
    position.propose(position.load().batch + 1, Plan([], {}, "another"))
    refused(engine, "by another configuration")


def test_who_has_gone_on_meanwhile_is_noticed(tmp_path: Path) -> None:
    engine = inline(tmp_path)
    engine.finish(engine.driver())
    position = EnginePosition(engine.store)
    at_rest = forget_engine.EngineAtRest(engine.config, engine.store)
    at_rest.expect(False, lambda text: None)
    position.commit(dataclasses.replace(position.load(), batch=7))
    with pytest.raises(AnalyticsError, match="gone on meanwhile"):
        at_rest.hold()
    assert not position.load().held


def test_a_backfill_is_waited_for_until_it_is_sure_that_it_has_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = inline(tmp_path)
    engine.finish(engine.driver())
    position = EnginePosition(engine.store)
    hold = Hold(position)
    monkeypatch.setattr("analytics.engine.hold.RENEW_SECONDS", 0.05)
    monkeypatch.setattr(forget_engine, "HELD_SECONDS", 1.0)
    monkeypatch.setattr(forget_engine, "LOOK_SECONDS", 0.2)
    saved = hold.begin()
    with pytest.raises(AnalyticsError, match="backfill` runs"):
        forget(engine.config, engine.store, ACCTS)
    hold._ending.set()
    hold._thread.join()
    forget(engine.config, engine.store, ACCTS)
    after = position.load()
    assert (after.batch, after.held) == (saved.batch + 1, ""), "what the backfill has changed is not known"


def test_what_else_is_refused_or_given_up(tmp_path: Path) -> None:
    engine = inline(tmp_path)
    engine.finish(engine.driver())
    engine.store.write(POSITIONS, [Write("counting", {"by": "engine", "_v": 1}, None)])
    refused(engine, r"no \[engine\]", replace(engine.config, engine=EngineSection()))
    # Killed between the hold and the pseudonyms: without accts, nothing is to be forgotten any more.
    position = EnginePosition(engine.store)
    position.hold(position.load(), FORGETTING)
    with pytest.raises(AnalyticsError, match="expected accts to forget"):
        forget(engine.config, engine.store, [])
    assert not position.load().held


def test_rules_of_earlier_batches_may_name_accts(tmp_path: Path) -> None:
    engine = inline(tmp_path)
    engine.finish(engine.driver())
    rules: dict[str, Any] = {"rules": GHOST.encode(), "since": 1, "_v": 1}
    engine.store.write("engine_rules", [Write("earlier", rules, 0)])
    forget(engine.config, engine.store, ACCTS)
    assert "earlier" not in {*engine.store.ids("engine_rules")}
    assert [*engine.store.ids("engine_rules")]
