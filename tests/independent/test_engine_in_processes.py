"""The local engine: processes that fold and settle, on a real server, and are killed meanwhile."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import gevent
import pytest
from databases import Database
from forms import long_form
from msgspec.structs import replace
from near_engine import NearEngine, differing
from near_suite import config_of
from raw_months import FIRST_DAYS, divided_world, sent

from analytics.config import BrokerSection, Config
from analytics.engine.blocks import JournalGone
from analytics.engine.engines import TaskCall
from analytics.engine.engines.local import LocalEngine
from analytics.engine.live import EngineDriver
from analytics.errors import Unavailable
from analytics.store import open_store

RECORDS = [one.record for one in sent(3, FIRST_DAYS)][:900]


@pytest.fixture
def config(tmp_path: Path, database: Database) -> Config:
    """A configuration whose documents lie on the shared server."""
    return replace(config_of(divided_world(), tmp_path, BrokerSection()), mongodb=database.section)


class Processes(LocalEngine):
    """Processes that can be killed."""

    def kill(self, random: Random) -> None:
        """Kill one of them, if any runs."""
        running = [one._process.pid for one in self._processes if one._process]
        if running:
            os.kill(random.choice(running), signal.SIGKILL)


def finish(driver: EngineDriver) -> None:
    """Do all that waits, also where a task is killed at each try."""
    more = True
    while more:
        with suppress(Unavailable):
            more = driver.step()


@pytest.mark.parametrize(
    "killing", [pytest.param(False, id="undisturbed", marks=long_form), pytest.param(True, id="killing")]
)
def test_processes(killing: bool, config: Config) -> None:
    random = Random(1)
    store = open_store(config)
    engine = NearEngine(config, random, 100_000, 400_000, store)
    processes = Processes(2)
    driver = engine.driver(engine=processes)
    ended = gevent.event.Event()

    def kill() -> None:
        while not ended.wait(5 * random.random()):
            processes.kill(random)

    killer = gevent.spawn(kill) if killing else None
    for begin in range(0, len(RECORDS), 300):
        engine.journal(RECORDS[begin : begin + 300] + random.sample(RECORDS[: begin + 1], begin // 10))
        finish(driver)
        while killing and not processes.state()["tasks_lost"]:
            engine.journal(random.sample(RECORDS[: begin + 300], 20))
            finish(driver)
    ended.set()
    if killer:
        killer.get()
    assert differing(engine.expected(), engine.documents()) == []
    assert driver.state()["executors"] > 0
    assert driver.state()["shuffled_bytes"] > 10 * len(RECORDS)
    driver.close()
    assert list((config.data / "engine").iterdir()) == []
    store.close()


def test_a_process_does_one_task_after_the_other(config: Config) -> None:
    engine = NearEngine(config, Random(3), 2_000, 20_000, open_store(config))
    processes = LocalEngine(1)
    driver = engine.driver(engine=processes)
    engine.journal(RECORDS[:200])
    finish(driver)
    engine.journal(RECORDS[200:300])
    finish(driver)
    assert differing(engine.expected(), engine.documents()) == []
    assert processes.state()["tasks_lost"] == 0
    driver.close()


class Losing(LocalEngine):
    """Processes whose first deltas are deleted before they are settled."""

    lost = False

    def outcomes(self, calls: Mapping[int, TaskCall], at_home: bool = False) -> Iterator[tuple[int, Any]]:
        if at_home and not self.lost:
            self.lost = True
            for file in self._folder.glob("*/*"):
                file.unlink()
        return super().outcomes(calls, at_home)


def test_deltas_that_are_lost_are_folded_again(config: Config) -> None:
    engine = NearEngine(config, Random(4), 2_000, 20_000, open_store(config))
    processes = Losing(2)
    driver = engine.driver(engine=processes)
    engine.journal(RECORDS[:200])
    with pytest.raises(Unavailable, match="can't be read"):
        driver.step()
    engine.finish(driver)
    assert processes.lost and differing(engine.expected(), engine.documents()) == []
    driver.close()


def test_a_journal_that_is_gone(config: Config) -> None:
    """It is missed by name; back in its place, gzipped or not, it counts."""
    engine = NearEngine(config, Random(2), 100_000, 400_000, open_store(config))
    engine.journal(RECORDS[:500], files=1)
    (journal,) = config.data.glob("gamelog_*.txt")
    away = journal.rename(journal.with_suffix(".away"))
    driver = engine.driver(engine=LocalEngine(1))
    with pytest.raises(JournalGone, match=f"{journal.name} is missing"):
        driver.step()
    away.rename(journal)
    engine.finish(driver)
    assert differing(engine.expected(), engine.documents()) == []
    driver.close()
