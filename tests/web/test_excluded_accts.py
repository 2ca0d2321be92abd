"""Pages and API say how many accts are excluded where they look."""

from datetime import date
from pathlib import Path

import pytest
from store_reader import StoreReader

from analytics.config import AreaSection, Config, ExcludedSection, Game, areas, catalogue
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import Silent
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.timers.rollup import NAME as ROLLUP
from analytics.web.app import create_app
from analytics.web.data import Data

SHANGHAI, KOLKATA = zone("Asia/Shanghai"), zone("Asia/Kolkata")
BOTS = {("one", 2): 3, ("one", 3): 1, ("two", 2): 2, ("two", 3): 5}


def day_of(local, day):
    return local.day_of(date(2026, 3, day).isoformat())


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    sections = {"one": AreaSection(plat="p"), "two": AreaSection(plat="q", timezone="Asia/Kolkata")}
    dl = Game(areas=sections, excluded=ExcludedSection(patterns=["bot*"]))
    config = Config(data=Path(tmp_path_factory.mktemp("data")), games={"dl": dl})
    reference = Reference(catalogue(config).values(), areas(config))
    for (area, day), bots in BOTS.items():
        for acct in ["ann", *(f"bot{n}" for n in range(bots))]:
            ts = day_of(areas(config)[area].zone, day) + 3_600
            one = {"id": "gamelog/s:1", "area": area, "ts": ts, "data": {"acct": acct}}
            reference.put("gamelog.login_logcount", [one, one])
    store = MemoryStore()
    for name, documents in reference.collections.items():
        store.write(name, [Write(id_, one, None) for id_, one in documents.items()])
    now = day_of(SHANGHAI, 3) + 50_000
    by_hand(config, store, Silent(), Wanted((ROLLUP,)), lambda: now)
    data = Data(
        config,
        ReadOnly(store),
        StoreReader(store),
        areas(config),
        lambda: float(now),
        bolts=catalogue(config),
    )
    return create_app(data).test_client()


def test_the_collection_has_a_page_and_an_api(client):
    query = {"from": "2026-03-02", "to": "2026-03-03"}
    answer = client.get("/api/v1/collections/excluded", query_string=query)
    assert [day["records"] for day in answer.json["periods"]] == [10, 12]
    assert client.get("/collections/excluded", query_string=query).status_code == 200


@pytest.mark.parametrize(
    ("where", "most"),
    [
        ({}, 6),
        ({"to": "2026-03-02"}, 5),
        ({"plat": "p"}, 3),
        ({"area": "two"}, 5),
        ({"area": "one,two"}, 6),
        ({"area": "one", "from": "2026-03-03"}, 1),
        ({"to": "2026-03-01"}, 0),
    ],
)
def test_the_most_of_a_day_are_named(client, where, most):
    assert client.get("/api/v1/overview", query_string=where).json["scope"]["excluded"] == most
    if not where:
        assert client.get("/api/v1/games").json["games"][0]["excluded"] == most
        assert f"Up to {most} accts a day are excluded" in client.get("/games").text
    page = client.get("/payment", query_string=where).text
    assert (
        ("accts a day are excluded" in page)
        == (f"Up to {most} accts a day are excluded" in page)
        == bool(most)
    )
