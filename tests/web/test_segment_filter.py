"""The segment filter: pages, API and CSV show the documents of one value, and refuse what can't be divided."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from entering import sources
from flask.testing import FlaskClient
from store_reader import StoreReader

from analytics.config import AreaSection, Config, Game, SegmentSection, areas, catalogue
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import Silent
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.timers import NAMES
from analytics.web.app import create_app
from analytics.web.data import Data

LOCAL = zone("Asia/Shanghai")
SIGNS_UP = {"one": {"ann": "a", "bob": "b", "cho": "<i>", "dan": None}, "two": {"ann": "b", "eve": "a"}}
A = {"segment": "channel:a"}


def moment(day: int, hour: int = 12) -> int:
    return LOCAL.day_of(date(2026, 3, day).isoformat()) + hour * 3600


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlaskClient, MemoryStore]:
    channel = SegmentSection(from_="signup_logcount.data.channel", values=["a", "b"], other=True)
    areas_ = {
        "one": AreaSection(plat="p"),
        "two": AreaSection(plat="p", merged_into="one", merged_on="2026-03-04"),
    }
    game = Game(areas=areas_, segments={"channel": channel})
    config = Config(data=Path(tmp_path_factory.mktemp("data")), games={"dl": game})
    reference = Reference(catalogue(config).values(), areas(config))
    for area, accts in SIGNS_UP.items():
        for acct, property_ in accts.items():
            one: dict[str, Any] = {"id": "gamelog/s:1", "area": area, "ts": moment(2)}
            reference.put("gamelog.signup_logcount", [one | {"data": {"acct": acct, "channel": property_}}])
            for day in (2, 3):
                login = one | {"ts": moment(day), "data": {"acct": acct}}
                reference.put("gamelog.login_logcount", [login])
        paid = {acct: {"times": 1, "amount": 6.5} for acct in accts}
        reference.put("payment", [{"id": "payment/s:1", "area": area, "ts": moment(2, 0), "users": paid}])
    store = MemoryStore()
    for name, documents in reference.collections.items():
        store.write(name, [Write(id_, one, None) for id_, one in documents.items()])
    by_hand(config, store, Silent(), Wanted(NAMES), lambda: moment(3))
    data = Data(
        config,
        ReadOnly(store),
        StoreReader(store),
        areas(config),
        lambda: float(moment(3)),
        bolts=catalogue(config),
    )
    return create_app(data).test_client(), store


def test_each_value_has_its_own_numbers(shown):
    client, store = shown
    total = store.load("kpi_segment_total", [f"game:dl:{moment(2, 0)}:channel:a"])
    [document] = total.values()
    overview = client.get("/api/v1/overview", query_string=A | {"from": "2026-03-02"}).json
    assert (overview["scope"]["segment"], overview["scope"]["value"]) == ("channel", "a")
    day = overview["days"][0]
    assert {name: day[name] for name in ("dau", "reg", "payers", "revenue")} == {
        "dau": 2,
        "reg": 2,
        "payers": 2,
        "revenue": 19.5,
    }
    assert all(day[name] == document[name] for name in ("dau", "mau", "arpu", "stickiness"))
    assert (overview["hours"], day["new_users"]) == ([], 2)


@pytest.mark.parametrize(
    ("filter_", "sizes"),
    [
        ({}, {"a": 2, "b": 1, "other": 1, "unknown": 1}),
        ({"area": "two"}, {"a": 1, "b": 1}),
        ({"area": "one,two"}, {"a": 2, "b": 2, "other": 1, "unknown": 1}),
        ({"united": "one"}, {"a": 2, "b": 1, "other": 1, "unknown": 1}),
        ({"united": "one", "plat": "p"}, {"a": 2, "b": 1, "other": 1, "unknown": 1}),
    ],
    ids=["game", "area", "sum", "united area", "united area of one plat"],
)
def test_the_values_of_a_place_add_up(shown, filter_, sizes):
    client, _ = shown
    whole = client.get("/api/v1/retention", query_string=filter_ | {"from": "2026-03-02"}).json
    found = {}
    for value in ("a", "b", "other", "unknown"):
        query = filter_ | {"from": "2026-03-02", "segment": f"channel:{value}"}
        answer = client.get("/api/v1/retention", query_string=query).json
        if answer["cohorts"]:
            [cohort] = answer["cohorts"]
            found[value] = cohort["size"]
        paying = client.get("/api/v1/payment", query_string=query).json
        assert [one["size"] for one in paying["ltv"]] == [one["size"] for one in answer["cohorts"]]
        assert paying["top"] == []
    assert found == sizes
    assert sum(found.values()) == whole["cohorts"][0]["size"]


def test_a_united_area_of_one_plat_is_read_with_that_plat_as_well(shown):
    client, _ = shown
    query = {"united": "one", "from": "2026-03-02", "to": "2026-03-03"}
    alone = client.get("/api/v1/overview", query_string=query).json
    found = client.get("/api/v1/overview", query_string=query | {"plat": "p"}).json
    assert found["scope"]["basis"] == "united"
    assert found["days"] == alone["days"]
    assert "Accts are added up" not in client.get("/", query_string=query | {"plat": "p"}).text


def test_a_united_area_can_be_compared_with(shown):
    client, _ = shown
    span = "from=2026-03-02&to=2026-03-03"
    found = sources(client, f"/?area=two&{span}&compare=united:one", "active")
    united = sources(client, f"/?united=one&{span}", "active")["rows"]
    total = [a + b for a, b in zip(united["old_users"], united["new_users"], strict=True)]
    assert found["compared"]["total"] == total != [0, 0]
    page = client.get(f"/?area=two&{span}&compare=united:one").text
    assert "compared: merged areas one" in page and '<option value="united:one">' in page
    assert client.get(f"/?area=two&{span}&compare=united:two").status_code == 400


def test_charts_mark_the_day_of_a_merger(shown):
    client, _ = shown
    for filter_ in ({"area": "one"}, {"united": "one"}, {}):
        page = client.get(
            "/retention", query_string=filter_ | {"from": "2026-03-02", "to": "2026-03-04"}
        ).text
        assert "two merged into one" in page
    page = client.get("/retention", query_string={"from": "2026-03-02", "to": "2026-03-03"}).text
    assert "two merged into one" not in page


def test_csv_has_the_same(shown):
    client, _ = shown
    text = client.get(
        "/api/v1/payment/days.csv", query_string=A | {"from": "2026-03-02", "to": "2026-03-02"}
    ).text
    assert text.splitlines()[1].split(",")[2:5] == ["19.5", "2", "2"]


@pytest.mark.parametrize(
    "path", ["economy", "progress", "areas", "accts/active.csv", "payment/top.csv", "overview/hours.csv"]
)
def test_what_counts_all_accts_refuses_a_segment(shown, path):
    answer = shown[0].get(f"/api/v1/{path}", query_string=A)
    assert answer.status_code == 400
    assert (
        answer.json["error"]
        == 'segment: expected none, as these numbers are of all accts, got "channel:a"; leave it out'
    )


@pytest.mark.parametrize(
    ("segment", "error"),
    [
        ("channels:a", 'segment: the game has no segment "channels"; did you mean channel?'),
        ("channel:c", 'segment: channel has no value "c"; there are: a, b, other, unknown'),
    ],
)
def test_an_unknown_segment_or_value_is_named(shown, segment, error):
    answer = shown[0].get("/api/v1/overview", query_string={"segment": segment})
    assert (answer.status_code, answer.json["error"]) == (400, error)


@pytest.mark.parametrize("path", ["/", "/retention", "/payment"])
def test_a_page_offers_the_values_and_says_which_one_it_shows(shown, path):
    page = shown[0].get(path, query_string={"segment": "channel:other"}).text
    assert '<option value="channel:other" selected>channel: other</option>' in page
    assert "Only accts whose channel is other." in page
    assert 'href="/economy"' in page
    assert "segment=channel%3Aother" in page
    assert "hours.csv" not in page and "top.csv" not in page and "accts/active.csv" not in page


def test_two_values_are_compared(shown):
    client, _ = shown
    asked = {"from": "2026-03-02", "segment": "channel:a", "compare": "segment:channel:b"}
    page = client.get("/", query_string=asked).text
    found = json.loads(re.search(r'id="data-revenue">(.*?)</script>', page, re.DOTALL)[1])["sources"]
    of_value = [
        [
            day["revenue"]
            for day in client.get(
                "/api/v1/overview", query_string={"from": "2026-03-02", "segment": f"channel:{value}"}
            ).json["days"]
        ]
        for value in ("a", "b")
    ]
    assert [found[f"revenue.{name}"]["revenue"] for name in ("rows", "compared")] == of_value
    assert of_value[0] != of_value[1] and "compared: segment channel:b" in page


def test_other_pages_offer_none(shown):
    assert 'name="segment"' not in shown[0].get("/economy").text
    described = shown[0].get("/api/v1/openapi.json").json["paths"]
    offered = {
        path
        for path, one in described.items()
        if "get" in one and any(of["name"] == "segment" for of in one["get"]["parameters"])
    }
    assert {path.split("/")[3] for path in offered} == {
        "overview",
        "retention",
        "funnels",
        "payment",
        "payers",
    }
    assert not any(path.endswith(("hours.csv", "top.csv")) for path in offered)


def test_the_properties_have_a_page_among_the_collections(shown):
    answer = shown[0].get("/api/v1/collections/acctsegment", query_string={"from": "2026-03-02"})
    assert answer.status_code == 200, answer.text
    menu = shown[0].get("/").text
    assert "/collections/acctsegment" not in menu
    listed = shown[0].get("/api/v1/collections").json["collections"]
    assert [one["own"] for one in listed if one["name"] == "acctsegment"] == [False]
