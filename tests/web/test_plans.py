"""Every search that pages, API and CSV make goes by an index, and ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pymongo.database
import pytest
from databases import Database
from month import FIRST, LAST, Month, a_month
from pymongo import MongoClient

from analytics.store import MongoReader, MongoStore, Write
from analytics.web.data import Data
from analytics.web.page_set import PageSet
from analytics.web.pages import PAGES
from benchmarks.queries import RecordedQuery, RecordingReader

OF_AREAS = ("serverstarttime",)
"""Collections with a document for each area, and no more."""

READ = (
    "kpi", "activeday", "loginhour", "signuphour", "lifecycle", "onlineday", "sessionday", "loginretention", "paytraceday", "ltv", "payers", "firstpay", "funnel", "coinday", "coinhour",
    "cointype", "shop", "mainline", "gamecopy", "userlevel",
)  # fmt: skip
"""Collections that pages read, of areas and of totals."""

OF_BOLTS = [f"collections/{name}" for name in ("cointype", "coinhour", "server", "userpay", "userlevel")]
VIEWS_OF_NUMBERS = [*(page.name for page in PAGES if page.has_filter), *OF_BOLTS]
ENDLESS = ("collections/userpay", "documents")
"""The table of a collection without time. It has all of it, row by row."""


@dataclass(frozen=True, eq=False)
class Searched:
    """The month in a real server, the dashboard's data over it, and what that is asked."""

    month: Month
    data: Data
    reader: RecordingReader
    database: pymongo.database.Database[dict[str, Any]]


@pytest.fixture(scope="module")
def searched(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    month = a_month(tmp_path_factory.mktemp("month"))
    uri, name = module_database.uri, module_database.name
    store = MongoStore(uri, name)
    store.ensure_indexes(month.documents)
    for collection, some in month.documents.items():
        if collection in ("usercenter", "payorderdetail"):
            continue  # many documents, which no page reads
        store.write(collection, [Write(id, {**one, "_id": id}, None) for id, one in some.items()])
    reader = RecordingReader(MongoReader(uri, name))
    data = Data(month.data.config, month.data.store, reader, month.data.areas, month.data.clock)
    with MongoClient(uri) as client:
        yield Searched(month, data, reader, client[name])
    reader.close()
    store.close()


def looks(searched: Searched) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield each page with each option, of a game, a plat, an area, and of two."""
    areas = [area for area in searched.data.areas.values() if area.game == "dl"]
    span = {"from": [str(FIRST)], "to": [str(LAST)]}
    for who in ({}, {"plat": [areas[0].plat]}, {"area": [areas[0].id]}, {"area": [areas[0].id, areas[1].id]}):
        for page in VIEWS_OF_NUMBERS:
            given = {"game": ["dl"], **span, **who}
            yield page, given
            for option in _every(searched).by_name[page].parameters:
                for value in option.choices:
                    yield page, {**given, option.name: [value]}


def everything(searched: Searched) -> None:
    """Look at every page, and read every CSV to its end."""
    every = _every(searched)
    for page, given in looks(searched):
        every.by_name[page].read(searched.data, given)
        for (of, table), rows in every.csvs.items():
            if of == page and not {"sort", "field", "split"} & {*given} and (of, table) != ENDLESS:
                list(rows(searched.data, given))


@cache
def _every(searched: Searched) -> PageSet:
    return PageSet(searched.data)


def test_every_search_goes_by_an_index_and_ends_by_itself(searched: Searched) -> None:
    everything(searched)
    by_shape: dict[str, RecordedQuery] = {one.shape(): one for one in searched.reader.asked}
    assert {one.query.collection for one in searched.reader.asked} >= {
        *(f"{name}{total}" for name in READ for total in ("", "_total")), "areas_total", "userpay", "serverstarttime",
    }  # fmt: skip
    for shape, asked in by_shape.items():
        plan = str(asked.plan(searched.database[asked.query.collection]))
        assert "IXSCAN" in plan and "COLLSCAN" not in plan, f"{shape}: {plan}"
        assert asked.bounded or asked.query.collection in OF_AREAS, asked


def test_a_search_without_an_index_would_be_seen(searched: Searched) -> None:
    collection = searched.database["kpi"]
    assert "COLLSCAN" in str(collection.find({"dau": 3}).explain()["queryPlanner"]["winningPlan"])
