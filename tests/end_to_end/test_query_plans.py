"""What MongoDB itself notes of a suite's life: no operation reads more than it needs, and no index is kept for nobody."""

from collections.abc import Iterator
from typing import Any

import pytest
from needed import missing
from profiled import Life, a_life

from analytics.bolts import BOLTS
from analytics.errors import ConfigError
from analytics.runtime.timers.collections import WRITTEN
from analytics.store.mongod import find_mongod

Operation = dict[str, Any]

MOST_OF_RETURNED = 1.1
AND = 5
"""Documents that an operation may look at beside those that it finds: where two indexes serve, MongoDB tries both once."""

FOR_READERS = ("area_1_ts_1", "game_1_ts_1", "ts_1", "game_1_scope_1_ts_1", "game_1_plat_1_ts_1")
"""Promised to readers of the documents and of the totals, in every collection, whether the suite uses them there or not."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    try:
        find_mongod()
    except ConfigError as error:
        missing(str(error))
    with a_life(tmp_path_factory.mktemp("plans")) as one:
        yield one


def test_every_part_of_the_suite_was_at_work(life: Life) -> None:
    """Otherwise the other tests would say nothing."""
    kinds = {(_collection(one), _kind(one)) for one in life.operations}
    assert {_collection(one) for one in life.operations} >= {*BOLTS, *WRITTEN, "positions"}
    assert kinds >= {
        ("loginhour", "insert"), ("loginday", "update"), ("loginday", "find"), ("kpi", "aggregate"), ("shop", "aggregate"),
        ("userpay", "find"), ("positions", "update"), ("serverstarttime", "find"),
    }  # fmt: skip


def test_no_operation_reads_a_whole_collection_or_sorts(life: Life) -> None:
    bad = [
        one for one in life.operations if "COLLSCAN" in one.get("planSummary", "") or "hasSortStage" in one
    ]
    assert not bad, [_told(one) for one in bad[:5]]


def test_documents_examined_are_those_found(life: Life) -> None:
    bad = [one for one in life.operations if one.get("docsExamined", 0) > _allowed(life, one)]
    assert not bad, [(_told(one), _allowed(life, one)) for one in bad[:5]]


def test_no_index_is_kept_for_nobody(life: Life) -> None:
    unused = [
        f"{collection}.{index['name']}"
        for collection in life.database.list_collection_names(
            filter={"name": {"$not": {"$regex": "^system"}}}
        )
        for index in life.database[collection].aggregate([{"$indexStats": {}}])
        if not index["accesses"]["ops"] and index["name"] not in ("_id_", *FOR_READERS)
    ]
    assert not unused


def test_a_search_without_an_index_would_be_seen(life: Life) -> None:
    database = life.database
    before = database["system.profile"].count_documents({})
    database.command("profile", 2)
    list(database["kpi"].find({"dau": 3}).sort("wau"))
    database.command("profile", 0)
    noted = next(
        one for one in database["system.profile"].find().skip(before) if one["ns"] == f"{database.name}.kpi"
    )
    assert "COLLSCAN" in noted["planSummary"] and noted["hasSortStage"]
    assert noted["docsExamined"] > _allowed(life, noted)


def _allowed(life: Life, one: Operation) -> float:
    """Return how many documents an operation may examine."""
    command = one.get("command", {})
    found = sum(one.get(name, 0) for name in ("nreturned", "nMatched", "ndeleted"))
    pipeline = command.get("pipeline", [])
    sifted = [stage["$match"] for stage in pipeline if "$match" in stage]
    if sifted and (len(sifted) == 1 or any("$group" in stage for stage in pipeline)):
        # What comes back are sums, or some of what has to be looked at.
        found = life.database[_collection(one)].count_documents({"$and": sifted})
    return MOST_OF_RETURNED * found + AND


def _collection(one: Operation) -> str:
    return str(one["ns"].split(".", 1)[1])


def _kind(one: Operation) -> str:
    return {"query": "find", "command": next(iter(one.get("command", {})), "")}.get(one["op"], one["op"])


def _told(one: Operation) -> dict[str, Any]:
    names = ("op", "ns", "planSummary", "keysExamined", "docsExamined", "nreturned")
    asked = {
        name: one["command"][name]
        for name in ("filter", "sort", "pipeline", "q")
        if name in one.get("command", {})
    }
    return {name: one.get(name) for name in names} | asked
