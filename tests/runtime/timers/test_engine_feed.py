"""Timer bolts beside an engine: its batches say what has changed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from timer_harness import A, SharedStore, Suite, at, eventually, games, log, some_weeks

from analytics.bolts import BOLTS
from analytics.config import Config, EngineSection, areas
from analytics.core.reference import Reference
from analytics.runtime import engine_changes
from analytics.runtime.engine_changes import COLLECTION
from analytics.runtime.engine_progress import EngineProgress
from analytics.store import Write


class EngineSuite(Suite):
    """A reference runner in place of the engine: it stores what a batch makes, says what has changed, and commits."""

    def start_broker(self) -> None:
        """Have none."""
        self.reference = Reference([BOLTS[name] for name in self.read], areas(self.config))
        self.batch = 0
        self.id = "first"

    def stop_broker(self) -> None:
        """There is none."""

    @property
    def config(self) -> Config:
        return replace(super().config, engine=EngineSection(kind="local"))

    def send(self, topic: str, tuples: Iterable[Mapping[str, Any]]) -> None:
        listed = list(tuples)
        for some in (listed[n : n + 100] for n in range(0, len(listed), 100)):
            before = self._versions()
            self.reference.put(topic, some)
            after = self._versions()
            self._store({key for key, version in after.items() if before.get(key) != version})

    def _versions(self) -> dict[tuple[str, str], int]:
        return {
            (name, id): one.get("_v", 0)
            for name in self.read
            for id, one in self.reference.collections[name].items()
        }

    def _store(self, changed: Iterable[tuple[str, str]]) -> None:
        changes = []
        for name, id in changed:
            one = self.reference.collections[name][id]
            self.store.write(name, [Write(id, one, None)])
            changes.append((name, one["area"], [one["ts"]]))
        self.batch += 1
        engine_changes.write(self.store, self.batch, changes)
        self.commit()

    def commit(self) -> None:
        position = {"id": self.id, "batch": self.batch, "ends": [["gamelog_1.txt", 10]], "_v": self.batch}
        self.store.write("positions", [Write("engine", position, None)])

    def drain(self) -> None:
        eventually(self.is_saved)

    def is_saved(self) -> bool:
        saved = self.store.load("positions", ["timers"]).get("timers")
        return (
            super().is_saved()
            and saved is not None
            and saved["log"] == f"engine:{self.id}"
            and {head[1] for head in saved["topics"]} == {self.batch}
        )

    def recomputed(self) -> dict[tuple[str, str], dict[str, Any]]:
        """As above; the node finds a position of the engine, and no changes that are kept."""
        made = SharedStore.__init__

        def with_position(store: SharedStore) -> None:
            made(store)
            for name, one in self.store.load("positions", ["engine"]).items():
                store.write("positions", [Write(name, one, None)])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SharedStore, "__init__", with_position)
            return super().recomputed()


@pytest.fixture
def engine_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineSuite]:
    suite = EngineSuite(tmp_path, games(), at("2015-03-20"), monkeypatch)
    suite.commit()
    yield suite
    suite.close()


def test_documents_follow_the_batches(engine_suite: EngineSuite) -> None:
    node = engine_suite.start_timers()
    eventually(engine_suite.is_saved)
    some_weeks(engine_suite, "2015-02-20", 12, seed=3)
    engine_suite.drain()
    engine_suite.kill(node)
    some_weeks(engine_suite, "2015-02-16", 8, seed=4)
    engine_suite.start_timers()
    engine_suite.drain()
    expected = engine_suite.recomputed()
    assert engine_suite.documents() == expected and len(expected) > 200
    eventually(lambda: not list(engine_suite.store.ids(COLLECTION)))


def test_an_earlier_hour_moves_the_start_of_an_area(engine_suite: EngineSuite) -> None:
    engine_suite.start_timers()
    first = at("2015-03-02")
    earliest = first + 5000
    for ts in (first + 5000, first + 9000, first + 4200, first - 90_000):
        engine_suite.send("gamelog.login_logcount", [log("login", "u1", ts)])
        engine_suite.drain()
        earliest = min(earliest, ts)
        assert [one["ts"] for one in engine_suite.store.load("serverstarttime", [A]).values()] == [earliest]
    assert engine_suite.documents() == engine_suite.recomputed()


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(
            lambda suite: suite.store.delete(COLLECTION, [f"{suite.batch:012d}.0"]), id="changes are gone"
        ),
        pytest.param(lambda suite: setattr(suite, "id", "second"), id="another engine"),
    ],
)
def test_what_nobody_reports_is_computed_from_all(
    engine_suite: EngineSuite, lose: Callable[[EngineSuite], None]
) -> None:
    node = engine_suite.start_timers()
    some_weeks(engine_suite, "2015-02-20", 4, seed=3)
    engine_suite.drain()
    engine_suite.kill(node)
    some_weeks(engine_suite, "2015-02-26", 4, seed=4)
    lose(engine_suite)
    engine_suite.commit()
    engine_suite.start_timers()
    engine_suite.drain()
    assert engine_suite.documents() == engine_suite.recomputed()


def test_large_changes_take_several_documents(engine_suite: EngineSuite) -> None:
    changes = [("loginhour", A, list(range(n, 60_000 + n))) for n in range(3)]
    store = engine_suite.store
    engine_changes.write(store, 1, changes)
    engine_changes.write(store, 2, [])
    assert len(list(store.ids(COLLECTION))) == 3
    assert [engine_changes.read(store, batch) for batch in (1, 2, 3)] == [changes, [], None]
    engine_changes.forget(store, 1)
    assert [engine_changes.read(store, batch) for batch in (1, 2)] == [None, []]


def test_a_position_says_what_is_waiting(engine_suite: EngineSuite) -> None:
    position = EngineProgress.load(engine_suite.store)
    assert position is not None and position.log == "engine:first"
    assert position.waiting({"gamelog_1.txt": 15, "gamelog_2.txt": 4}) == 9
