"""The views, on a real server: what they show, one type for each column, and whose rights are enough."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from journaled import Journaled, journaled
from mongod_users import PASSWORD, add_root, as_user
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from analytics.bolts import BOLTS
from analytics.cli.views import views
from analytics.config import Config, catalogue
from analytics.config.bolt_sections import BoltSection
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.export.columns import collections, totals, unfolded
from analytics.export.pipelines import types
from analytics.export.views import create_views, names
from analytics.store import Write, open_store
from analytics.store.encoding import OPTIONS
from analytics.store.store import DIVIDED, TOTAL
from analytics.testing.mongod import Server
from analytics.timers import TIMERS

OF_SEGMENTS = [f"{name}{DIVIDED}" for name, timer in TIMERS.items() if timer.of_segments]
ROOT = Path(__file__).resolve().parents[2]
BSON_TYPES = {
    "VARCHAR": {"string"},
    "BIGINT": {"long"},
    "DOUBLE": {"double"},
    "BOOLEAN": {"bool"},
    "TIMESTAMP": {"date"},
    "DATE": {"string"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Journaled:
    return journaled(tmp_path_factory.mktemp("world"), "America/New_York")


@pytest.fixture(scope="module")
def config(world: Journaled, module_database: Any) -> Config:
    """The world's configuration; its documents are in a real database, with the views."""
    config = msgspec.structs.replace(world.config, mongodb=module_database.section)
    store = open_store(config)
    for name, by_id in world.documents.items():
        store.write(name, [Write(id, {**one, "_v": 1}, 0) for id, one in by_id.items()])
        if name == "loginday":  # a long list continues in parts, which are no rows
            parts = [
                Write(f"{id}#1", {"part_of": id, "part": 1, "userlist": ["a"]}, None)
                for id in list(by_id)[:3]
            ]
            store.write(name, parts)
    store.close()
    assert "created" in command(config)
    return config


OF_CURRENCIES = {"gross_in", "refunds_in", "net_in", "converted"}
"""Tables that are not in views."""


@pytest.fixture
def database(config: Config) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](config.mongodb.uri) as client:
        yield client.get_database(config.mongodb.database, codec_options=OPTIONS)


def command(config: Config, *words: str) -> str:
    done = CliRunner().invoke(views, words, obj=config, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def counted(world: Journaled, collection: str) -> dict[str, Any]:
    """Return the documents of the simulated game's ledger."""
    assert collection in world.documents, (
        "the simulated game logs nothing of this collection; see docs/how-to/add-a-bolt.md"
    )
    return world.documents[collection]


@pytest.mark.parametrize("collection", [*collections(BOLTS), *OF_SEGMENTS])
def test_a_view_has_every_field_flat(world, database, collection):
    documents = counted(world, collection)
    pairs = unfolded(collection)
    rows = list(database[f"bi_{collection}"].find())
    assert len(rows) == sum(len(one[pairs.field]) if pairs else 1 for one in documents.values())
    local = zone(world.config.timezone)
    for row in rows:
        assert set(row) == set(types(collection))
        one = documents[row["_id"].rpartition(":")[0] if pairs else row["_id"]]
        lists = {"userlist", "day", *OF_CURRENCIES, *([pairs.field] if pairs else [])}
        assert {name: value for name, value in one.items() if name not in lists}.items() <= row.items()
        if "ts" in one:
            assert row["date"].timestamp() == one["ts"] and row["zone"] == local.name
            assert row["day"] == f"{local.local(one['ts']):%Y-%m-%d}"


@pytest.mark.parametrize("collection", [*totals(BOLTS), *(f"{name}{TOTAL}" for name in OF_SEGMENTS)])
def test_totals_are_as_flat(world, database, collection):
    pairs = unfolded(collection)
    documents = counted(world, collection)
    rows = list(database[f"bi_{collection}"].find())
    assert len(rows) == sum(len(one[pairs.field]) if pairs else 1 for one in documents.values())
    for row in rows:
        assert set(row) == set(types(collection)) and row["zone"] == world.config.timezone
        one = documents[row["_id"].rpartition(":")[0] if pairs else row["_id"]]
        lists = {*OF_CURRENCIES, *([pairs.field] if pairs else [])}
        assert {name: value for name, value in one.items() if name not in lists}.items() <= row.items()


@pytest.mark.parametrize("collection", [*collections(BOLTS), *totals(BOLTS), *OF_SEGMENTS])
def test_a_column_has_one_type(database, collection):
    wanted = types(collection)
    kinds = {name: {"$addToSet": {"$type": f"${name}"}} for name in wanted if name != "_id"}
    for found in database[f"bi_{collection}"].aggregate(
        [{"$group": {"_id": None, **kinds}}]
    ):  # one, or no rows
        for name in kinds:
            kinds_of_column = {"int"} if name == "ts" else BSON_TYPES[wanted[name]]  # as stored, until 2038
            assert set(found[name]) - {"null"} <= kinds_of_column, name


@pytest.mark.parametrize("total", ["", TOTAL])
def test_what_was_paid_in_each_currency_is_a_row(database, total):
    key = {"game": "g", "plat": "p", "ts": 1_772_726_400} | ({"scope": "plat"} if total else {"area": "x"})
    sums = {"gross_in": {"CNY": 30, "USD": 2.5}, "refunds_in": {"USD": 0.5, "CNY": 0}, "net_in": {"CNY": 30, "USD": 2}, "converted": {"CNY": 30, "USD": 14.2}}  # fmt: skip
    documents = [{"_id": "x", **key, **sums}, {"_id": "y", **key, **{name: {} for name in sums}}]
    database[f"revenueday{total}"].insert_many([{**one, "_v": 1} for one in documents])
    try:
        rows = list(database[f"bi_revenueday_currency{total}"].find({"game": "g"}))
    finally:
        database[f"revenueday{total}"].delete_many({"game": "g"})
    amounts = ("gross", "refunds", "net", "converted", "refunds_cents")
    assert {(row["_id"], row["currency"], *(row[name] for name in amounts)) for row in rows} == {
        ("x:CNY", "CNY", 30.0, 0.0, 30.0, 30.0, 0), ("x:USD", "USD", 2.5, 0.5, 2.0, 14.2, 50),
    }  # fmt: skip
    assert all(set(row) == set(types(f"revenueday_currency{total}")) for row in rows)
    assert {type(row[name]) for row in rows for name in amounts[:-1]} == {float}


def test_bolts_of_the_configuration_have_views(database):
    newest = {"rank": {"latest": "rank"}, "level": {"latest": {"of": "level", "where": "level > 0"}}}
    measures = {"fights": "count", "best": {"max": "points"}, **newest}
    table = {
        "reads": "pvp_log",
        "by": ["bracket"],
        "measures": measures,
        "derived": {"win_rate": "percent(best, fights)"},
    }
    bolts = catalogue(Config(bolts={"pvp": msgspec.convert(table | {"totals": True}, BoltSection)}))
    assert {"bi_pvp", "bi_pvp_total"} <= {*create_views(database, bolts)}
    fields = {"bracket": "3v3", "fights": 3, "win_rate": 0, "_v": 1}
    database.pvp.insert_one({"_id": "x", "area": "x", "game": "g", "plat": "p", "ts": 1, **fields})
    (row,) = database.bi_pvp.find()
    assert (row["bracket"], row["fights"], row["best"], row["win_rate"]) == ("3v3", 3, None, 0.0)
    assert set(row) == set(types("pvp", bolts))
    expected = {"win_rate": "DOUBLE", "best": "BIGINT", "rank": "VARCHAR", "level": "BIGINT"}
    assert expected.items() <= types("pvp", bolts).items()
    for name in ("bi_pvp", "bi_pvp_total", "pvp"):
        database.drop_collection(name)


def test_a_sum_past_64_bits_stays_a_double(database):
    database.shop.insert_one(
        {"_id": "big", "area": "big", "game": "g", "plat": "p", "ts": 1, "amount": 2.0**70}
    )
    row = database.bi_shop.find_one({"area": "big"})
    database.shop.delete_one({"_id": "big"})
    assert row["amount"] == 2.0**70 and row["count"] is None and row["zone"] is None


@pytest.mark.parametrize("where", [{"area": "a", "ts": {"$gte": 1}}, {"game": "g", "ts": {"$gte": 1}}])
@pytest.mark.parametrize("collection", ["kpi", "loginretention"])
def test_a_search_uses_the_indexes_of_the_collection(config, database, where, collection):
    store = open_store(config)
    store.ensure_indexes([collection])
    store.close()
    asked = {"aggregate": f"bi_{collection}", "pipeline": [{"$match": where}], "cursor": {}}
    plan = json.dumps(database.command("explain", asked), default=str)
    bounds = re.search(r'"indexBounds": \{"(\w+)": \["\[.*?"\], "ts": \["\[1, inf', plan)
    assert bounds and bounds[1] in where and "COLLSCAN" not in plan.split('"stages"')[0]


def test_views_are_replaced_where_they_differ_and_removed_on_demand(config, database):
    assert command(config) == "the views are as they should be\n"
    database.bi_kpi.drop()
    database.command("create", "bi_kpi", viewOn="kpi", pipeline=[])
    assert command(config) == "created or replaced bi_kpi\n"
    assert "bi_kpi" in command(config, "--drop") and command(config, "--drop") == "the views are gone\n"
    database.bi_kpi.insert_one({"_id": 1})
    with pytest.raises(AnalyticsError, match="bi_kpi: expected a view or nothing, found a collection"):
        command(config)
    database.bi_kpi.drop()
    assert all(name in command(config) for name in list(names())[:1])


def commands() -> Iterator[dict[str, Any]]:
    """Yield the commands on rights that the document shows, as the server takes them."""
    blocks = re.findall(r"```javascript\n(.*?)```", (ROOT / "docs" / "reading.md").read_text(), re.DOTALL)
    for block in blocks:
        for name, key, text in re.findall(r"db\.(create(User|Role))\((\{.*?\})\)\n", block, re.DOTALL):
            options = json.loads(text.replace("passwordPrompt()", json.dumps(PASSWORD)))
            yield {name: options.pop(key.lower())} | options


def test_the_rights_in_the_document_are_enough(world, tmp_path):
    """One user creates the views, another reads them and nothing else."""
    with Server(tmp_path / "mongod", flags=["--auth"]) as server:
        add_root(server)
        with MongoClient[dict[str, Any]](as_user(server, "root")) as client:
            client.analytics.kpi.insert_one(
                {**next(iter(world.documents["kpi"].values())), "_id": "k", "area": "a" * 24}
            )
            for one in commands():
                client.admin.command(one)
        section = msgspec.structs.replace(
            world.config.mongodb, uri=as_user(server, "analyticsViews"), database="analytics"
        )
        maker = msgspec.structs.replace(world.config, mongodb=section)
        command(maker)
        command(maker)
        with MongoClient[dict[str, Any]](as_user(server, "bi")) as client:
            assert client.analytics.bi_kpi.find_one()["area"] == "a" * 24
            assert client.analytics.areas.count_documents({}) == 2
            with pytest.raises(OperationFailure, match="not authorized"):
                client.analytics.kpi.find_one()
        command(maker, "--drop")
