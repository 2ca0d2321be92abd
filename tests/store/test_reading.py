"""What reads for the dashboard: MongoDB and the reference read the same, by an index, and neither can write."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from store_reader import StoreReader

from analytics.config import Config, MongoDB
from analytics.errors import AnalyticsError
from analytics.store import MemoryStore, MongoReader, Write, embedded_uri, open_store
from analytics.store.reading import Query, ReadOnly

DAY = 86_400
NAMES = ("kpi", "userpay", "kpi_total")


class Heard(CommandListener):
    """Remembers the commands that were sent."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append({"name": event.command_name, **event.command})

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Do nothing."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Do nothing."""


def documents() -> dict[str, list[dict[str, Any]]]:
    """Two games of two plats over three days, with totals; payers of all amounts."""
    days, payers, totals = [], [], []
    for game, plat, area in (
        ("g", "p1", "a"),
        ("g", "p2", "b"),
        ("h", "p1", "c"),
    ):
        for n in range(3):
            key = {"game": game, "plat": plat, "area": area, "ts": n * DAY}
            days.append(
                {"_id": f"{area}:{n * DAY}", **key, "dau": 10 * n + ord(area), "revenue": n / 4, "_v": 1}
            )
            about = {"ts": n * DAY, "dau": 100 * n + ord(area), "revenue": n / 8, "_v": 1}
            totals.append({"_id": f"plat:{area}:{n}", "scope": "plat", "game": game, "plat": plat, **about})
            if plat == "p1":
                totals.append({"_id": f"game:{area}:{n}", "scope": "game", "game": game, **about})
        for n in range(4):
            who = {
                "game": game,
                "plat": plat,
                "area": area,
                "acct": f"{area}{n}",
                "pay_amout": n * 10 + ord(area) / 100,
            }
            payers.append({"_id": f"{area}:{n}", **who, "_v": 1})
    return {"kpi": days, "userpay": payers, "kpi_total": totals}


@pytest.fixture(scope="module")
def memory() -> MemoryStore:
    store = MemoryStore()
    for name, found in documents().items():
        store.write(name, [Write(one["_id"], one, None) for one in found])
    return store


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module", params=["mongod", "secantusdb"])
def config(request: pytest.FixtureRequest) -> Config:
    """Where the documents are."""
    if request.param == "mongod":
        return Config(mongodb=request.getfixturevalue("module_database").section)
    return replace(request.getfixturevalue("embedded"), mongodb=MongoDB(database="reading"))


@pytest.fixture(scope="module")
def mongo(config: Config, heard: Heard) -> Iterator[MongoReader]:
    store = open_store(config)
    store.ensure_indexes(NAMES)
    for name, found in documents().items():
        store.write(name, [Write(one["_id"], one, None) for one in found])
    reader = MongoReader(uri(config), config.mongodb.database, [heard])
    yield reader
    reader.close()
    store.close()


def uri(config: Config) -> str:
    return config.mongodb.uri or embedded_uri(config)


QUERIES = [
    Query("kpi", "g"),
    Query("kpi", "g", plat="p2", since=DAY),
    Query("kpi_total", "g", since=0, until=2 * DAY, scope="game"),
    Query("kpi_total", "g", "p2", scope="plat"),
    Query("kpi", "g", areas=("b",), since=DAY, until=2 * DAY),
    Query("kpi", "h", since=0, until=DAY),
    Query("kpi", "nobody's"),
    Query("userpay", "g", at_least=("pay_amout", 20)),
    Query("userpay", "g", plat="p1", at_least=("pay_amout", 10.5)),
    Query("userpay", "g", areas=("a",), at_least=("pay_amout", 10)),
    Query("userpay", "g", plat="p1", where=(("acct", ("a1", "b2", 7)),)),
    Query("kpi", "g", since=0, where=(("dau", (97, 98)), ("area", ("a",)))),
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_mongodb_finds_and_adds_up_what_the_reference_does(
    query: Query, mongo: MongoReader, memory: MemoryStore
) -> None:
    reference = StoreReader(memory)
    fields = ["area", "ts", "dau", "acct", "pay_amout"]

    def found(reader: Any) -> list[str]:
        return sorted(map(repr, (sorted(one.items()) for one in reader.find(query, fields))))

    assert found(mongo) == found(reference)
    summed = ["dau", "revenue", "pay_amout"]
    for keys in (["ts"], ["area", "plat"]):
        sums = {key: pytest.approx(values) for key, values in reference.sums(query, keys, summed)}
        assert dict(mongo.sums(query, keys, summed)) == sums
        assert list(mongo.sums(query, keys, summed, most=2)) == [
            (key, pytest.approx(values)) for key, values in reference.sums(query, keys, summed, most=2)
        ]
    if query.collection.startswith("kpi") and query.game == "g":
        assert found(reference), "a query that finds nothing compares nothing"


def test_the_richest_come_first_and_no_more_than_asked(mongo: MongoReader, memory: MemoryStore) -> None:
    query = Query("userpay", "g", at_least=("pay_amout", 0.01))
    options: dict[str, Any] = {"by": "pay_amout", "descending": True}
    expected = ["b3", "a3", "b2", "a2", "b1", "a1", "b0", "a0"]
    for reader in (mongo, StoreReader(memory)):
        for limit in (3, 0):
            found = [one["acct"] for one in reader.find(query, ["acct"], limit=limit, **options)]
            assert found == expected[: limit or None]
            found = [one["acct"] for one in reader.find(query, ["acct"], limit=limit, skip=2, **options)]
            assert found == expected[2 : limit + 2 if limit else None]
        of_plat = Query("userpay", "g", plat="p1", at_least=("pay_amout", 0.01))
        assert [one["acct"] for one in reader.find(of_plat, ["acct"], limit=2, **options)] == ["a3", "a2"]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_search_goes_by_an_index(query: Query, mongo: MongoReader, config: Config) -> None:
    with MongoClient(uri(config)) as client:
        plan = (
            client[config.mongodb.database][query.collection]
            .find(query.indexed())
            .explain()["queryPlanner"]["winningPlan"]
        )
    assert "IXSCAN" in str(plan) and "COLLSCAN" not in str(plan), plan


def test_only_searches_are_sent(mongo: MongoReader, heard: Heard) -> None:
    heard.commands.clear()
    for query in QUERIES:
        list(mongo.find(query, ["ts"], by="ts"))
        list(mongo.sums(query, ["ts"], ["dau"], most=1))
    assert {one["name"] for one in heard.commands} == {"find", "aggregate"}
    stages = {stage for one in heard.commands for step in one.get("pipeline", ()) for stage in step}
    assert stages <= {"$match", "$sort", "$project", "$group", "$limit"}


def test_what_a_filter_says_is_never_an_operator(mongo: MongoReader, memory: MemoryStore) -> None:
    hostile: Any = {"$gt": ""}
    for query in (
        Query("kpi", hostile),
        Query("kpi", "g", areas=(hostile,)),
        Query("kpi", "g", plat=hostile),
        Query("kpi", "g", where=(("area", (hostile,)),)),
    ):
        assert list(mongo.find(query, ["ts"])) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.write("kpi", [Write("x", {}, None)]),
        lambda store: store.delete("kpi", ["a:0"]),
        lambda store: store.remove("kpi", "a:0", 1),
        lambda store: store.ensure_indexes(["kpi"]),
    ],
)
def test_a_store_for_reading_refuses_to_be_changed(
    change: Callable[[ReadOnly], object], memory: MemoryStore
) -> None:
    before = list(memory.find("kpi"))
    with pytest.raises(AnalyticsError, match="opened for reading"):
        change(ReadOnly(memory))
    assert list(memory.find("kpi")) == before == list(ReadOnly(memory).find("kpi"))
