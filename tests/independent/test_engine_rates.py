"""Payments that a driver converts at other rates than the configuration has are reported, whenever its batch is finished."""

from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from near_engine import Died, InlineEngine, NearEngine, SteppedStore, differing
from near_suite import config_of
from raw_months import FEW, divided_world, sent

from analytics.config import BrokerSection, Config, catalogue
from analytics.engine.backfill import Backfill
from analytics.engine.blocks import Uncountable
from analytics.rebuild.selection import Selection
from analytics.runtime.contradictions import contradictions

RATED = {area for area, one in divided_world().areas.items() if one.money}
PAID = [one.record for one in sent(3, FEW) if one.record[0] == "payment" and one.record[1]["area"] in RATED][
    :60
]


@pytest.fixture
def engine(tmp_path: Path) -> NearEngine:
    return NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(3), 50_000, 200_000)


def with_other_rates(config: Config) -> Config:
    """Return a configuration whose rates are others on all days."""
    games = {
        name: replace(
            game,
            rates={
                currency: {day: f"{rate}5" for day, rate in days.items()}
                for currency, days in game.rates.items()
            },
        )
        for name, game in config.games.items()
    }
    return replace(config, games=games)


def reported(config: Config, engine: NearEngine) -> bool:
    return any(
        "were converted at other rates than now" in one.text for one in contradictions(config, engine.store)
    )


@pytest.mark.parametrize("after", [False, True])
def test_a_batch_that_has_begun_at_other_rates(engine: NearEngine, after: bool) -> None:
    """Its driver died before anything of it was written, or noted (``after`` unset), and the next one has other rates."""
    engine.journal(PAID)
    store = SteppedStore(engine.store)
    store.at = ("paysummary", 1) if after else ("positions", 2)

    def die() -> None:
        raise Died

    store.event, store.after = die, True
    with pytest.raises(Died):
        engine.finish(engine.driver(store))
    before = engine.config
    engine.config = with_other_rates(before)
    engine.finish(engine.driver())
    assert reported(engine.config, engine)
    engine.config = before
    assert differing(engine.expected(), engine.documents()) == [], "the batch is finished as it was planned"


def test_a_driver_that_goes_on_at_rates_of_before(engine: NearEngine) -> None:
    """A backfill has corrected all by other rates meanwhile, but the driver does not know them yet."""
    engine.journal(PAID[:30])
    driver = engine.driver()
    engine.finish(driver)
    before, after = engine.config, with_other_rates(engine.config)
    assert not reported(before, engine) and reported(after, engine)
    bolts = catalogue(after)
    wanted = Selection(tuple(bolts), (), bolts)
    tasks = InlineEngine(engine.store, engine.random)
    Backfill(after, engine.store, tasks, after.data, wanted, lambda text: None).run()
    assert not reported(after, engine)
    engine.journal(PAID[30:])
    for _ in range(5):
        try:
            engine.finish(driver)
        except Exception as error:
            assert "another driver" in str(error)
    assert driver.state()["waiting_bytes"] == 0
    assert reported(after, engine)


def without_rates(config: Config) -> Config:
    """Return a configuration in which all money is the game's."""
    games = {
        name: replace(
            game, rates={}, areas={id_: replace(one, currency="") for id_, one in game.areas.items()}
        )
        for name, game in config.games.items()
    }
    return replace(config, games=games)


def test_no_batch_begins_without_rates_that_payments_need(engine: NearEngine) -> None:
    engine.journal(PAID[:30])
    engine.finish(engine.driver())
    before, documents = engine.config, engine.documents()
    engine.journal(PAID[30:])
    engine.config = without_rates(before)
    with pytest.raises(Uncountable, match=r"games\.dl\.rates: expected rates, as payments are in [A-Z]{3}"):
        engine.finish(engine.driver())
    assert engine.documents() == documents
    engine.config = before
    engine.finish(engine.driver())
    assert differing(engine.expected(), engine.documents()) == []
