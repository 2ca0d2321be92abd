"""Games that the node ``timers`` has computed on a cluster have the same documents, whatever becomes of a task."""

import dataclasses
import pickle
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import gevent
import pytest
from forms import THOROUGH, thorough
from msgspec.structs import replace
from near_engine import NearEngine, SteppedStore
from near_suite import config_of
from raw_months import SPRING, Sent, divided_world, sent
from sameness import differences, public

from analytics.config import BrokerSection, Config, EngineSection, TimersSection, areas, catalogue
from analytics.engine import game_jobs
from analytics.engine.context import TaskProcess, task_context
from analytics.engine.engines import TaskCall
from analytics.engine.game_jobs import GameJobs
from analytics.errors import Unavailable
from analytics.runtime import engine_changes
from analytics.runtime.engine_progress import EngineProgress
from analytics.runtime.outlet import Outlet
from analytics.runtime.timers import game_requests
from analytics.runtime.timers.collections import WRITTEN
from analytics.runtime.timers.dirty import KINDS, Dirty
from analytics.runtime.timers.game_requests import GameRequest, GameRequests, fingerprint
from analytics.runtime.timers.game_run import compute_game
from analytics.runtime.timers.position import Overtaken, TimersPosition
from analytics.runtime.timers.rules import timers_of
from analytics.runtime.timers.scopes import day_of
from analytics.runtime.timers.updater import Updater
from analytics.spouts.acknowledging import Silent
from analytics.store import MemoryStore, Write
from analytics.timers.rollup import rollups

PATIENCE = 120
SOME = SPRING if THOROUGH else dataclasses.replace(SPRING, first=date(2018, 3, 28), players=6)
Documents = dict[str, dict[str, dict[str, Any]]]


class Cluster:
    """Runs tasks in this process, with what a process of a cluster gets: everything was pickled.

    ``lost``: how many of the next tasks end when they have written something, as if their process had died.
    """

    def __init__(self, config: Config, store: MemoryStore, lost: int = 0) -> None:
        self._config, self._store, self.lost = config, store, lost
        self.tasks_done = 0

    def each(self, calls: Sequence[TaskCall]) -> Iterator[tuple[TaskCall, Any]]:
        for call in pickle.loads(pickle.dumps(list(calls))):
            context = task_context(
                replace(self._config, engine=EngineSection(kind="local")), Path(), "engine:x"
            )
            if self.lost:
                self.lost -= 1
                dying = SteppedStore(self._store)
                dying.at, dying.event = 5 + self.lost, _die
                with pytest.raises(Lost):
                    call.work(TaskProcess(context, dying), *call.arguments)
                raise Unavailable("the executor was lost")
            self.tasks_done += 1
            yield call, call.work(TaskProcess(context, self._store), *call.arguments)


class Clock:
    """What tasks take for the time, in Unix seconds."""

    now = 0

    @classmethod
    def time(cls) -> int:
        return cls.now


class Lost(Exception):
    """Ends a task where it is."""


def _die() -> None:
    raise Lost


class Life:
    """A store, an engine that fills it from journals, and the timer bolts over it."""

    def __init__(self, data: Path, kind: str, lost: int = 0) -> None:
        data.mkdir()
        self.engine = NearEngine(
            config_of(divided_world(), data, BrokerSection()), Random(1), 1 << 20, 1 << 30
        )
        self.store = self.engine.store
        self.config = replace(
            self.engine.config,
            engine=EngineSection(kind=kind),  # type: ignore[arg-type]
            timers=TimersSection(max_known_mb=0.001 if kind == "spark" else 1000),
        )
        self._driver, self._batch = self.engine.driver(), 0
        self.cluster = Cluster(self.config, self.store, lost)
        self.jobs = GameJobs(self.config, self.store, self.cluster)  # type: ignore[arg-type]
        self.position = TimersPosition(self.store, "node")
        self.position.load()
        self._runs = 0
        self.updater = Updater(
            self.config, self.store, Outlet(Silent(), "s"), self.position, timers_of(self.config),
            rollups(catalogue(self.config).values()), Clock.time,
        )  # fmt: skip

    def count(self, records: Sequence[Sent]) -> Dirty:
        """Have the engine count records; return what has changed."""
        self.engine.journal([one.record for one in records])
        self.engine.finish(self._driver)
        Clock.now = records[-1].at
        dirty, claimed = Dirty(), areas(self.config)
        position = EngineProgress.load(self.store)
        assert position
        for batch in range(self._batch + 1, position.batch + 1):
            for bolt, area, starts in engine_changes.read(self.store, batch) or ():
                if bolt in KINDS:
                    days = {day_of(claimed[area].zone, ts) for ts in starts}
                    dirty.days.update({(KINDS[bolt], area, day): 1 for day in days})
        self._batch = position.batch
        return dirty

    def update(self, dirty: Dirty) -> None:
        """Run the timer bolts; as the node does, begin again where a run fails."""
        answering = gevent.spawn(self._answer)
        try:
            with gevent.Timeout(
                PATIENCE, AssertionError("the driver has ended, or runs fail again and again")
            ):
                while True:
                    self._runs += 1
                    try:
                        self.updater.update(f"run{self._runs}", dirty, "log", {})
                        return
                    except (Unavailable, Overtaken):
                        self.position.load()
                        self.updater.resume()
        finally:
            answering.kill()

    def documents(self) -> Documents:
        """Return what readers see of timer bolts and totals."""
        return {name: public({one["_id"]: one for one in self.store.find(name)}) for name in sorted(WRITTEN)}

    def _answer(self) -> None:
        while True:
            with suppress(Unavailable):
                self.jobs.step()
            gevent.sleep(0)


def _lived(data: Path, kind: str, lost: int = 0) -> Life:
    life = Life(data, kind, lost)
    records = sent(1, SOME)
    middle = len(records) // 2
    first = life.count(records[:middle])
    life.update(Dirty(everything=True) if first else first)
    life.update(life.count(records[middle:]))
    return life


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """What a node computes that has the memory."""
    return _lived(tmp_path_factory.mktemp("here") / "data", "")


@pytest.mark.parametrize("lost", [pytest.param(0, marks=thorough), 3])
def test_a_cluster_computes_the_same(
    here: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    monkeypatch.setattr(game_jobs, "time", Clock)
    there = _lived(tmp_path / "data", "spark", lost)
    assert differences(here.documents(), there.documents()) == []
    games = len(there.config.games)
    assert there.updater.large.state() == {
        "names": sorted(there.config.games),
        "waiting_for": "",
        "since": 0.0,
    }
    assert there.cluster.tasks_done >= 2 * games and there.cluster.lost == 0


def test_a_task_that_was_taken_for_dead_writes_nothing_that_is_old(tmp_path: Path) -> None:
    """It has read an acct that is gone when it wakes, and for those who have computed since nothing was to be written."""
    life = Life(tmp_path / "data", "")
    life.update(life.count(sent(1, SOME)[:1000]))
    before = life.documents()
    (area, id_, logins) = next(
        (one["area"], one["_id"], one) for one in life.store.find("loginday") if one["userlist"]
    )
    day = day_of(areas(life.config)[area].zone, logins["ts"])
    more = {**logins, "userlist": [*logins["userlist"], "nobody"], "_v": logins["_v"] + 1}
    life.store.write("loginday", [Write(id_, more, logins["_v"])])
    life.position.begin("run")
    request = GameRequest(
        areas(life.config)[area].game, "run", life.position.saved.version, False, Clock.now, Clock.now,
        fingerprint(life.config), days=[("login", area, day, 1)],
    )  # fmt: skip

    def wake_later() -> None:
        life.store.write("loginday", [Write(id_, {**logins, "_v": more["_v"] + 1}, more["_v"])])
        answer = compute_game(life.config, life.store, request, Clock.time)
        assert answer.changed
        life.position.went_on(answer.version)
        life.position.finish("log", {}, Clock.now, {})

    frozen = SteppedStore(life.store)
    frozen.at, frozen.event = ("activeday", 1), wake_later
    with pytest.raises(Overtaken):
        compute_game(life.config, frozen, request, Clock.time)  # type: ignore[arg-type]
    assert frozen.steps.count("activeday") == 1
    assert differences(before, life.documents()) == []


def test_a_request_too_long_for_a_document_asks_for_everything(
    here: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game_jobs, "time", Clock)
    monkeypatch.setattr(game_requests, "MOST_BYTES", 300)
    asked: list[GameRequest] = []
    monkeypatch.setattr(game_jobs, "compute_game", lambda *all: asked.append(all[2]) or compute_game(*all))
    there = _lived(tmp_path / "data", "spark")
    assert all(one.everything and not one.days for one in asked[-len(there.config.games) :])
    assert differences(here.documents(), there.documents()) == []


def test_a_driver_with_another_configuration_refuses(tmp_path: Path) -> None:
    life = Life(tmp_path / "data", "spark")
    requests = GameRequests(life.store)
    other = replace(life.config, timezone="Europe/Berlin")
    version = requests.ask(GameRequest("dl", "run", 1, False, 0, 0, fingerprint(other)), [])
    assert requests.answer_to(version) is None and life.jobs.step()
    answer = requests.answer_to(version)
    assert answer and "another configuration" in answer.error and life.cluster.tasks_done == 0
    assert not life.jobs.step()
