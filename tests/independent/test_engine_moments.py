"""Whatever dies, stalls or loses its store between any two writes: every record counts once in every document."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random

import pytest
from forms import THOROUGH, thorough
from msgspec.structs import replace
from near_engine import Died, InlineEngine, NearEngine, SteppedStore, differing
from near_suite import config_of
from plain_numbers import Record
from raw_months import AUTUMN, divided_world, sent

from analytics.config import BrokerSection, Config, catalogue
from analytics.core import settle
from analytics.engine import position
from analytics.engine.position import DriverOvertaken
from analytics.engine.rules import CountingRules, KeptRules
from analytics.errors import Unavailable
from analytics.spouts.ends import Ends

MOMENTS = 10 if THOROUGH else 4
"""Writes of documents, chosen by the seed; a run has a few hundred."""

SEEDS = [1, pytest.param(2, marks=thorough)]
PLANS_SEEDS = [
    (1, 0),
    (2, position.PLANS_KEPT),
    pytest.param(2, 0, marks=thorough),
    pytest.param(1, position.PLANS_KEPT, marks=thorough),
]


@cache
def records() -> list[Record]:
    """Return the records of which each play takes some."""
    return [one.record for one in sent(5, AUTUMN)]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have lists in parts, and changes in several versions, although there are few records."""
    monkeypatch.setattr(settle, "PART_SIZE", 2)
    monkeypatch.setattr(settle, "STEP_SIZE", 3)


class Play:
    """One small game, played as often as there are moments."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.folder = folder
        self.runs = 0
        every = records()
        area = self.random.choice([one["area"] for _, one in every])
        begin = self.random.randrange(len(every) - 1_500)
        some = [one for one in every[begin : begin + 1_500] if one[1]["area"] == area][:60]
        more = self.random.sample(every[begin : begin + 1_500], 20)
        self.portions = [some[:40] + more[:10] + some[30:40], some[20:] + more, self.random.sample(some, 30)]

    def begin(self, portions: int = 3) -> NearEngine:
        """Return an engine that has done nothing yet, with some of the portions in its journals."""
        self.runs += 1
        data = self.folder / str(self.runs)
        data.mkdir()
        config = config_of(divided_world(), data, BrokerSection())
        engine = NearEngine(config, Random(self.runs), 3_000 if THOROUGH else 6_000, 12_000)
        for some in self.portions[:portions]:
            engine.journal(some)
        return engine

    def moments(self) -> Iterator[tuple[NearEngine, SteppedStore]]:
        """Yield engines, each with a store that has something happen before or after a step: each that decides, and some others."""
        engine = self.begin()
        store = SteppedStore(engine.store)
        engine.finish(engine.driver(store))
        assert differing(engine.expected(), engine.documents()) == []
        documents = catalogue(engine.config)
        deciding = [
            (name, number + 1)
            for name in {*store.steps} - {*documents}
            for number in range(store.steps.count(name))
        ]
        # What another driver has done by then is left to chance: where plans are made, it has several.
        planning = (8 if THOROUGH else 3) * [step for step in deciding if step[0] == position.PLANS]
        others = self.random.sample(range(1, len(store.steps) + 1), MOMENTS)
        for step in [*sorted(deciding), *planning, *others]:
            after = self.random.random() < 0.5
            engine = self.begin(portions=2)
            store = SteppedStore(engine.store)
            store.at, store.after = step, after
            yield engine, store


def finish(engine: NearEngine, portions: list[list[Record]]) -> None:
    """Have another driver do what waits, and what comes in then; the documents and the books are right."""
    for some in portions:
        engine.journal(some)
    driver = engine.driver()
    engine.finish(driver)
    assert differing(engine.expected(), engine.documents()) == []
    assert sum(driver.state()["records"].values()) == len({one["id"] for _, one in engine.written})


def die() -> None:
    """End the driver that works."""
    raise Died


@pytest.mark.parametrize("seed", SEEDS)
def test_a_driver_that_dies(seed: int, tmp_path: Path) -> None:
    play = Play(tmp_path, seed)
    for engine, store in play.moments():
        store.event = die
        with suppress(Died):
            engine.finish(engine.driver(store))
        finish(engine, play.portions[2:])


class Away:
    """A store that does not answer once, or several times in a row."""

    def __init__(self, store: SteppedStore, random: Random) -> None:
        self._store, self._random = store, random

    def __call__(self) -> None:
        if self._random.random() < 0.5:
            self._store.at = len(self._store.steps) + 1
        raise Unavailable("no answer, on purpose")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_store_that_goes_away(seed: int, tmp_path: Path) -> None:
    """The driver tries again."""
    play = Play(tmp_path, seed)
    for engine, store in play.moments():
        store.event = Away(store, play.random)
        driver, more = engine.driver(store), True
        while more:
            with suppress(Unavailable):
                more = driver.step()
        finish(engine, play.portions[2:])


class OtherDriver:
    """Does all that waits, and more, or dies half-way."""

    def __init__(self, engine: NearEngine, records: list[Record], random: Random) -> None:
        self._engine, self._records = engine, records
        self.store = SteppedStore(engine.store)
        self.store.event, self.store.at = die, random.choice([0, *random.sample(range(1, 60), 3)])

    def __call__(self) -> None:
        self._engine.journal(self._records)
        with suppress(Died):
            self._engine.finish(self._engine.driver(self.store))


@pytest.mark.parametrize(("seed", "kept"), PLANS_SEEDS)
def test_two_drivers(seed: int, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One stalls, another takes over, and the first one wakes."""
    monkeypatch.setattr(position, "PLANS_KEPT", kept)
    play = Play(tmp_path, seed)
    for engine, store in play.moments():
        store.event = OtherDriver(engine, play.portions[2], play.random)
        driver, more = engine.driver(store), True
        while more:
            with suppress(DriverOvertaken):
                more = driver.step()
        finish(engine, [play.portions[0]])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_frozen_task_that_wakes(seed: int, tmp_path: Path) -> None:
    """It settles its areas once more, after its batch was committed and others were."""
    play = Play(tmp_path, seed)
    engine = play.begin(portions=1)
    driver = engine.driver()
    inline = driver._engine
    assert isinstance(inline, InlineEngine)
    for some in play.portions:
        engine.journal(some)
        engine.finish(driver)
        expected = engine.expected()
        for batch in inline.batches:
            for area in batch.settle():  # with the documents that the processes remember
                assert area.documents
        for batch in inline.batches:
            inline.start(inline.process().context)  # and without
            list(batch.settle())
            assert differing(expected, engine.documents()) == []
    finish(engine, [])


def test_a_counted_journal_that_was_deleted_is_not_asked_for_again(tmp_path: Path) -> None:
    """Its spout still reports it; the next driver begins with a batch that was frozen."""
    engine = Play(tmp_path, 1).begin(portions=1)
    engine.finish(engine.driver())
    counted = position.EnginePosition(engine.store).load().ends
    for name in counted:
        (engine.config.data / name).unlink()
    (engine.config.data / "gamelog_201901010000.txt").write_bytes(b"{}\n")
    Ends(engine.config, "another").report({"gamelog_201901010000.txt": 3})
    store = SteppedStore(engine.store)
    store.at, store.after, store.event = ("positions", 1), True, die
    with pytest.raises(Died):
        engine.driver(store).step()
    assert position.EnginePosition(engine.store).load().frozen
    engine.finish(engine.driver())
    assert counted.items() <= position.EnginePosition(engine.store).load().ends.items()


@pytest.mark.parametrize("at", [8, 16])
def test_a_batch_is_finished_by_the_rules_by_which_it_has_begun(at: int, tmp_path: Path) -> None:
    """Its driver dies after some documents; then the configuration has other time zones."""
    engine = Play(tmp_path, 3).begin(portions=2)
    engine.batch_bytes = 1_000_000
    store = SteppedStore(engine.store)
    store.at, store.after, store.event = at, True, die
    with pytest.raises(Died):
        engine.finish(engine.driver(store))
    assert position.EnginePosition(engine.store).load().frozen
    before = engine.expected()
    games = {
        name: replace(
            game, areas={id_: replace(area, timezone="Asia/Kathmandu") for id_, area in game.areas.items()}
        )
        for name, game in engine.config.games.items()
    }
    engine.config = replace(engine.config, games=games)
    driver = engine.driver()
    engine.finish(driver)
    assert differing(before, engine.documents()) == []
    rules = CountingRules.of(engine.config)
    assert rules.applied_to(Config()).games == games
    assert KeptRules(engine.store).load(rules.fingerprint, 9) == rules
