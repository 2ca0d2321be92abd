"""Payments that were converted at other rates are reported, since the first day that differs, until a rebuild."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from analytics.config import AreaSection, Config, Game
from analytics.runtime.declarations import Declarations
from analytics.runtime.rate_notes import RateNotes
from analytics.store import MemoryStore, Write

READERS = ("paysummary", "payorderdetail", "revenueday", "userpay")
TODAY = datetime.fromtimestamp(time.time(), UTC).date()
RATES = {"2026-01-01": "7", "2026-02-01": "7.1"}


def config(rates: dict[str, str], area: str = "") -> Config:
    rated = {"USD": rates} if rates else {}
    game = Game(currency="CNY", rates=rated, areas={"a": AreaSection(plat="p", currency=area)})
    return Config(timezone="UTC", games={"dl": game})


@pytest.fixture
def store() -> MemoryStore:
    """A store with payments of three days of February, converted by ``RATES``."""
    store = MemoryStore()
    RateNotes(config(RATES), store).note_first_runs(READERS)
    for day in (5, 6, 7):
        ts = int(datetime(2026, 2, day, tzinfo=UTC).timestamp())
        store.write("paysummary", [Write(f"a:{ts}", {"game": "dl", "area": "a", "ts": ts, "_v": 1}, 0)])
    assert RateNotes(config(RATES), store).changed() == {}
    return store


@pytest.mark.parametrize(
    ("rates", "area", "since"),
    [
        (RATES | {"2026-02-06": "7.2"}, "", "2026-02-06"),
        (RATES | {"2026-02-06": "7.1"}, "", ""),
        (RATES | {"2026-01-15": "9"}, "", "2026-01-15"),
        (RATES | {"2026-02-10": "7.2"}, "", ""),
        ({"2026-01-01": "7"}, "", "2026-02-01"),
        (RATES, "USD", "2000-01-01"),
        ({}, "", "2000-01-01"),
    ],
)
def test_a_change_says_since_when(store: MemoryStore, rates: dict[str, str], area: str, since: str) -> None:
    after = config(rates, area)
    assert RateNotes(after, store).changed() == ({"dl": since} if since else {})
    RateNotes(after, store).note_first_runs(READERS)  # workers go on with the new rates
    assert RateNotes(after, store).changed() == ({"dl": since} if since else {})
    if since:
        assert RateNotes(config(RATES), store).changed(), "what came in meanwhile is converted at others"
        [sentence] = RateNotes(after, store).sentences()
        assert sentence.startswith("games.dl.rates: payments ") and "--bolt revenueday" in sentence
    assert Declarations(after, store).changed(["paysummary", "shop"]) == ({"paysummary"} if since else set())
    Declarations(after, store).note_rebuilt(READERS[:-1])
    assert RateNotes(after, store).changed() == ({"dl": since} if since else {})
    Declarations(after, store).note_rebuilt(READERS)
    assert RateNotes(after, store).changed() == {}


def test_rates_of_days_to_come_change_nothing(store: MemoryStore) -> None:
    later = TODAY + timedelta(2)
    after = config(RATES | {str(later): "7.3"})
    RateNotes(after, store).note_first_runs(READERS)
    ts = int(datetime(later.year, later.month, later.day, tzinfo=UTC).timestamp())
    store.write("paysummary", [Write(f"a:{ts}", {"game": "dl", "area": "a", "ts": ts, "_v": 1}, 0)])
    assert RateNotes(after, store).changed() == {}
