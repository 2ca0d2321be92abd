"""Payments that were converted at other rates are reported, since the first day that differs, until a rebuild."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from analytics.cli import engine as cli_engine
from analytics.config import AreaSection, Config, EngineSection, Game
from analytics.config.sections import MongoDB
from analytics.errors import ConfigError
from analytics.runtime.declarations import Declarations
from analytics.runtime.rate_notes import RateNotes
from analytics.runtime.service import refusals
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


CNY, USD = {"times": 1, "amount": 6}, {"times": 1, "amount": 6, "currency": "USD"}


def journaled(folder: Path, *paid: dict[str, Any], area: str = "a", zipped: bool = False) -> Path:
    """Write a journal of payments, with a torn line at its end."""
    folder.mkdir(exist_ok=True)
    users = {f"acct{n}": one for n, one in enumerate(paid)}
    lines = [
        json.dumps({"id": "payment/dl@1:1", "area": area, "ts": 1_770_249_600, "at": 1, "users": users}),
        '{"id',
    ]
    path = folder / ("payment_202602050000.txt" + ".gz" * zipped)
    path.write_bytes(gzip.compress("\n".join(lines).encode()) if zipped else "\n".join(lines).encode())
    return folder


def stored_without_rates() -> MemoryStore:
    store = MemoryStore()
    RateNotes(config({}), store).note_first_runs(READERS)
    ts = int(datetime(2026, 2, 5, tzinfo=UTC).timestamp())
    store.write("paysummary", [Write(f"a:{ts}", {"game": "dl", "area": "a", "ts": ts, "_v": 1}, 0)])
    return store


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("paid", "area", "own", "wrong"),
    [
        ([CNY], "a", "", False),
        ([CNY, CNY | {"currency": "CNY"}], "a", "", False),
        ([CNY, USD | {"times": 0, "amount": 0}], "a", "", False),
        ([USD], "of another game", "", False),
        ([CNY, USD], "a", "", True),
        ([CNY | {"other_currencies": [USD]}], "a", "", True),
        ([CNY], "a", "USD", True),
    ],
)
def test_the_first_rates_are_reported_only_if_payments_need_them(
    tmp_path: Path, paid: list[dict[str, Any]], area: str, own: str, wrong: bool, zipped: bool
) -> None:
    store = stored_without_rates()
    after = replace(config(RATES, own), data=journaled(tmp_path, *paid, area=area, zipped=zipped))
    expected = {"dl": "2000-01-01"} if wrong else {}
    assert RateNotes(after, store).changed() == expected
    RateNotes(after, store).note_first_runs(READERS)
    assert RateNotes(after, store).changed() == expected
    before = replace(config({}), data=tmp_path)
    assert bool(list(RateNotes(before, store).lost())) == wrong, (
        "the same decides whether they may be removed"
    )
    assert RateNotes(replace(config(RATES | {"2026-02-04": "9"}, own), data=tmp_path), store).changed()


def test_where_no_journal_says_what_payments_were_in_the_first_rates_are_reported() -> None:
    store = stored_without_rates()
    assert RateNotes(config(RATES), store).changed() == {"dl": "2000-01-01"}


def test_rates_that_payments_need_can_not_be_removed(store: MemoryStore, tmp_path: Path) -> None:
    after = replace(config({}), data=tmp_path / "data", file=tmp_path / "analytics.toml")
    (tmp_path / "data").mkdir()
    RateNotes(after, store).refuse_lost(READERS)
    elsewhere = journaled(tmp_path / "other", USD)
    with pytest.raises(
        ConfigError, match=r"analytics\.toml: games\.dl\.rates: expected rates, as payments are in USD"
    ):
        RateNotes(after, store).refuse_lost(READERS, [elsewhere])
    journaled(tmp_path / "data", USD)
    with pytest.raises(
        ConfigError, match="which would count one to one in CNY without, got none: put the rates back"
    ):
        RateNotes(after, store).refuse_lost(READERS)
    RateNotes(after, store).refuse_lost(["loginday"])
    RateNotes(replace(config(RATES), data=tmp_path / "data"), store).refuse_lost(READERS)


def test_documents_say_it_where_journals_are_gone(store: MemoryStore) -> None:
    document = {"game": "dl", "area": "a", "ts": 1_770_249_600, "gross_in": {"CNY": 5, "USD": 0}, "_v": 1}
    store.write("revenueday", [Write("a:1770249600", document, 0)])
    RateNotes(config({}), store).refuse_lost(READERS)
    store.write("revenueday", [Write("a:1770249600", document | {"gross_in": {"CNY": 5, "USD": 2}}, None)])
    with pytest.raises(ConfigError, match="payments are in USD"):
        RateNotes(config({}), store).refuse_lost(READERS)


def test_a_reload_and_a_backfill_refuse_it(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both end before anything is stopped or derived."""
    after = replace(
        config({}), data=tmp_path / "data", file=tmp_path / "analytics.toml", mongodb=MongoDB(uri="mongodb://h"),
        engine=EngineSection(kind="local"),
    )  # fmt: skip
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(store, "close", lambda: None)
    monkeypatch.setattr(refusals, "open_store", lambda config, seconds: store)
    monkeypatch.setattr(cli_engine, "open_store", lambda config: store)
    refusals.refuse_lost_rates(after)
    journaled(tmp_path / "data", USD)
    with pytest.raises(ConfigError, match="put the rates back"):
        refusals.refuse_lost_rates(after)
    done = CliRunner().invoke(cli_engine.backfill, [], obj=after)
    assert isinstance(done.exception, ConfigError) and "put the rates back" in str(done.exception)
    assert not (tmp_path / "data" / "engine").exists()
