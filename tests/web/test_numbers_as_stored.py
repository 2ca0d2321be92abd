"""However MongoDB stores a number, pages, API, CSV and ``show`` give the same one."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from click.testing import CliRunner
from dashboard_csvs import CSVS
from flask.testing import FlaskClient
from forms import THOROUGH
from month import Month, a_month
from store_reader import StoreReader

from analytics.bolts import BOLTS
from analytics.cli import show as show_command
from analytics.config import Config
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app
from analytics.web.custom.bolt_page import bolt_page
from analytics.web.data import Data
from analytics.web.pages import PAGES

PLACES = ("ts", "day", "first_ts", "first_pay", "last_pay", "open_day", "final")
"""What a document is about, as it is. All other numbers here need more than 32 bits."""

MORE = 3_000_000_000
KINDS: dict[str, Callable[[int | float], Any]] = {
    "double": float,
    "64 bits": lambda value: Int64(value) if isinstance(value, int) else value,
    "decimal": lambda value: Decimal128(str(value)),
}


def numbers(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a document's value with all of its numbers changed."""
    if isinstance(value, dict):
        return {
            name: one if name in PLACES or name.startswith("_") else numbers(one, change)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [numbers(one, change) for one in value]
    return change(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return a_month(tmp_path_factory.mktemp("data"), areas=2, players=40)


def stored(month: Month, change: Callable[[Any], Any]) -> MemoryStore:
    store = MemoryStore()
    for collection, some in month.documents.items():
        grown = {id_: numbers(one, lambda value: value + MORE) for id_, one in some.items()}
        store.write(
            collection, [Write(id_, {**numbers(one, change), "_id": id_}, None) for id_, one in grown.items()]
        )
    return store


def client(month: Month, store: MemoryStore) -> FlaskClient:
    data = month.data
    shown = Data(data.config, ReadOnly(store), StoreReader(store), data.areas, data.clock)
    return create_app(shown).test_client()


def mixed(seed: int) -> Callable[[Any], Any]:
    random = Random(seed)
    return lambda value: random.choice(list(KINDS.values()))(value)


CHANGES = {name: KINDS[name] for name in ("64 bits", "decimal") if THOROUGH} | {"mixed": mixed(5)}
"""How documents are stored; where there is little time, each number as another kind."""


@pytest.fixture(scope="module")
def plain(month: Month) -> FlaskClient:
    """The pages over numbers as Python has them."""
    return client(month, stored(month, float))


@pytest.fixture(scope="module", params=CHANGES)
def other(request: pytest.FixtureRequest, month: Month) -> Iterator[FlaskClient]:
    return client(month, stored(month, CHANGES[request.param]))


def same(one: Any, another: Any) -> bool:
    if isinstance(one, dict | list) and type(one) is type(another):
        pairs = [(one[key], another.get(key)) for key in one] if isinstance(one, dict) else zip(one, another, strict=True)  # fmt: skip
        return len(one) == len(another) and all(same(*pair) for pair in pairs)
    if isinstance(one, float | int) and isinstance(another, float | int):
        return bool(one == pytest.approx(another, rel=1e-9))
    return bool(one == another)


OF_BOLTS = [bolt_page(BOLTS[name]) for name in ("cointype", "coinhour", "userpay", "server")]
VIEWS = [page for page in PAGES if page.has_filter] + OF_BOLTS
WITHOUT_SUMS = ("annotations", "retention")
"""Pages that show no number as it is stored."""

TABLES = [table for table in CSVS if table[0] not in ("system", "collections")]
TABLES += [(page.name, table) for page in OF_BOLTS for table in page.csv_names]


@pytest.mark.parametrize("page", VIEWS, ids=lambda page: page.name)
def test_pages_and_api_take_every_kind_of_number(plain: FlaskClient, other: FlaskClient, page: Any) -> None:
    assert other.get(page.path).status_code == 200
    answers = [one.get(f"/api/v1/{page.name}") for one in (plain, other)]
    assert [one.status_code for one in answers] == [200, 200], answers[1].text[:500]
    assert same(answers[0].json, answers[1].json)
    assert str(MORE)[:2] in answers[1].text or page.name in WITHOUT_SUMS


@pytest.mark.parametrize("table", TABLES, ids="/".join)
def test_tables_take_every_kind_of_number(plain: FlaskClient, other: FlaskClient, table: Any) -> None:
    answers = [one.get("/api/v1/{}/{}.csv".format(*table)) for one in (plain, other)]
    assert [one.status_code for one in answers] == [200, 200]
    read = [list(csv.reader(io.StringIO(one.text))) for one in answers]
    assert same([[_number(cell) for cell in row] for row in read[0]], [[_number(cell) for cell in row] for row in read[1]])  # fmt: skip


def _number(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_show_prints_numbers(
    monkeypatch: pytest.MonkeyPatch, month: Month, tmp_path: Path, kind: str, form: str
) -> None:
    store = MemoryStore()
    document = {"game": "dl", "area": "a" * 24, "plat": "1", "pay_count": MORE, "pay_amout": 2 * MORE + 0.25}
    document = numbers(document, KINDS[kind])
    store.write("userpay", [Write("x", {**document, "held": {"k": [KINDS[kind](MORE)]}}, 0)])
    monkeypatch.setattr(show_command, "open_store", lambda config: store)
    config = Config(data=tmp_path, games=month.data.config.games)
    done = CliRunner().invoke(
        show_command.show, ["userpay", "--format", form], obj=config, catch_exceptions=False
    )
    assert done.exit_code == 0
    if form == "json":
        found = json.loads(done.stdout)
        assert (found["pay_count"], found["pay_amout"]) == (MORE, 2 * MORE + 0.25)
        assert found["held"] == {"k": [MORE]}
    else:
        assert str(MORE) in done.stdout and "6000000000.25" in done.stdout
