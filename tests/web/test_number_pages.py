"""Numbers of the configuration: formulas over documents, shown by day, without a value where there is none."""

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from month import FIRST as MONTH_FIRST
from month import LAST as MONTH_LAST
from month import Month, a_month
from msgspec.structs import replace
from own_bolts import FIRST, LAST, Arena, an_arena

from analytics.config import NumberSection
from analytics.timers import TIMERS
from analytics.web.app import create_app
from analytics.web.data import Data

NUMBERS = {
    "points_a_fight": NumberSection("pvp.points / pvp.fights", "Points per fight"),
    "won": NumberSection("percent(pvp.wins, pvp.fights)", "Fights won"),
    "rate_left": NumberSection("100 - pvp.win_rate"),
    "by_hour": NumberSection("pvp_hours.points - pvp_weeks_off.points * 2", page="Arena 竞技"),
    "points_a_player": NumberSection("arena_day.points / arena_day.players", page="Arena 竞技"),
}
BY_DAY = {"by": {}, "totals": True}


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    from own_bolts import HOURLY, PVP, a_bolt

    bolts = {
        one.name: one
        for one in (PVP, HOURLY, a_bolt("arena_day", **BY_DAY), a_bolt("pvp_weeks_off", totals=False))
    }
    return an_arena(tmp_path_factory.mktemp("numbers"), bolts, numbers=NUMBERS)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return a_month(tmp_path_factory.mktemp("month"), areas=3, players=40)


def got(arena: Arena, page: str, query: str = "", first: date = FIRST) -> Any:
    answer = arena.app.test_client().get(f"/api/v1/{page}?from={first}&to={LAST}&{query}")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text)


@pytest.mark.parametrize(
    ("query", "areas"), [("", "s1 s2 s3"), ("plat=p1", "s1 s2"), ("area=s1,s3", "s1 s3"), ("area=s2", "s2")]
)
def test_a_number_is_the_formula_over_the_sums_of_a_day(arena: Arena, query: str, areas: str) -> None:
    days, (won, left) = got(arena, "numbers", query)["days"], (0, 0)
    for row in days:
        fights = [one for one in arena.some(day=row["day"]) if one.area in areas.split()]
        points = sum(one.points for one in fights)
        won = round(100 * sum(one.result == "win" for one in fights) / len(fights), 2)
        left = round(100 - won, 4)
        assert row == {
            "day": row["day"], "points_a_fight": round(points / len(fights), 4), "won": won, "rate_left": left,
            "final": row["day"] < str(LAST),
        }  # fmt: skip
    (by_hour,) = {row["by_hour"] == -sum(one.points for one in arena.some(day=row["day"]) if one.area in areas.split())
                  for row in got(arena, "numbers/arena-竞技", query)["days"]}  # fmt: skip
    assert by_hour, "hours and keys are added up to days"


def test_a_division_by_zero_has_no_value(arena: Arena) -> None:
    (before, *_) = got(arena, "numbers", first=FIRST - timedelta(days=1))["days"]
    assert (before["points_a_fight"], before["won"], before["rate_left"]) == (None, None, 100)
    page = arena.app.test_client().get(f"/numbers?from={FIRST - timedelta(days=1)}&to={FIRST}").text
    assert '<td data-field="won">–</td>' in page
    client = arena.app.test_client()
    rows = list(
        csv.DictReader(
            client.get(f"/api/v1/numbers/days.csv?from={FIRST - timedelta(days=1)}").text.splitlines()
        )
    )
    assert rows[0]["won"] == "" and len(rows) > 10


def test_what_is_distinct_is_not_added_up_over_areas(arena: Arena) -> None:
    for query in ("", "plat=p1", "area=s1,s3"):
        answer = got(arena, "numbers/arena-竞技", query)
        assert {row["points_a_player"] for row in answer["days"]} == {None}
        assert [one["unsaid"] for one in answer["numbers"]] == [False, True]
    for row in got(arena, "numbers/arena-竞技", "area=s1")["days"]:
        fights = arena.some(area="s1", day=row["day"])
        assert row["points_a_player"] == round(
            sum(one.points for one in fights) / len({one.acct for one in fights}), 4
        )
    page = arena.app.test_client().get("/numbers/arena-竞技").text
    assert "points_a_player: counts of distinct accts can&#39;t be added up" in page


def test_totals_of_timer_bolts_are_used_as_they_are(month: Month) -> None:
    numbers = {
        "arpu": NumberSection("kpi.revenue / kpi.dau"),
        "spent": NumberSection("cointype.amount / kpi.dau"),
    }
    data = Data(
        replace(month.data.config, numbers=numbers), month.data.store, month.data.reader, month.data.areas, month.data.clock
    )  # fmt: skip
    client = create_app(data).test_client()
    days = client.get(f"/api/v1/numbers?game=dl&from={MONTH_FIRST}&to={MONTH_LAST}").json["days"]
    for row in days:
        kpi = month.of_game("kpi", date.fromisoformat(row["day"]))
        assert row["arpu"] == pytest.approx(kpi["revenue"] / kpi["dau"], abs=1e-4)
    areas = [one.id for one in data.areas.values() if one.game == "dl"][:2]
    of_two = client.get(f"/api/v1/numbers?area={','.join(areas)}").json
    assert all(row["arpu"] is None for row in of_two["days"]) and of_two["numbers"][0]["unsaid"]


def test_timer_bolts_declare_the_numbers_of_their_documents(month: Month) -> None:
    for name, timer in TIMERS.items():
        found = {
            field
            for one in month.documents[name].values()
            for field, value in one.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and not field.startswith("_")
        }
        # A month has no cohorts of which 60 days have passed; a median may be missing. Times are no numbers.
        assert {*timer.numbers} == found - {
            "ts",
            "pcu_ts",
            "open_day",
            "median_days",
            "median_minutes",
        } or not month.documents[name], name
        assert {*timer.added} <= {*timer.numbers}


def test_pages_are_in_the_menu_and_described(arena: Arena) -> None:
    client = arena.app.test_client()
    menu = client.get("/").text
    assert '<a href="/numbers"' in menu and "Arena 竞技" in menu
    described = client.get("/api/v1/openapi.json").json
    schema = described["components"]["schemas"]["numbers_Day"]["properties"]
    assert schema["won"]["description"] == "percent(pvp.wins, pvp.fights)"
    for path in ("/numbers", "/numbers/arena-%E7%AB%9E%E6%8A%80"):
        assert f"/api/v1{path}" in described["paths"] and f"/api/v1{path}/days.csv" in described["paths"]
        for language in ("en", "zh"):
            page = client.get(f"{path}?lang={language}")
            assert page.status_code == 200 and 'aria-current="page"' in page.text
    figures = client.get("/figures/numbers.en.json").json["figures"]
    assert {*figures} == {"number_points_a_fight", "number_won", "number_rate_left"}
    assert (
        client.get("/numbers/nothing").status_code == client.get("/api/v1/numbers/nothing").status_code == 404
    )


@pytest.mark.parametrize("query", ["", "area=s1"])
def test_a_number_may_be_on_the_page_of_a_bolt(arena: Arena, query: str) -> None:
    numbers = {
        "won": replace(NUMBERS["won"], page="pvp"),
        "heads": NumberSection("arena_day.points / arena_day.players", "Points a head", "pvp"),
    }
    shown = arena.data
    config = replace(shown.config, numbers=numbers)
    data = Data(config, shown.store, shown.reader, shown.areas, shown.clock, bolts=shown.bolts)
    client = create_app(data).test_client()
    answer = client.get(f"/api/v1/collections/pvp?from={FIRST}&to={LAST}&{query}").json
    whole = got(arena, "numbers", query)
    assert [row["won"] for row in answer["formulas"]["days"]] == [row["won"] for row in whole["days"]]
    assert answer["periods"] == got(arena, "collections/pvp", query)["periods"]
    page = client.get(f"/collections/pvp?{query}").text
    assert ("Points a head: counts of distinct accts" in page) == (not query) and "Fights won" in page
    assert "number_won" in client.get("/figures/collections/pvp.en.json").text
    rows = client.get(
        f"/api/v1/collections/pvp/formulas.csv?from={FIRST}&to={LAST}&{query}"
    ).text.splitlines()
    assert rows[0].startswith("day,won,heads") and len(rows) == len(whole["days"]) + 1
    described = client.get("/api/v1/openapi.json").json
    assert "/api/v1/collections/pvp/formulas.csv" in described["paths"]
    assert client.get("/numbers").status_code == 404


def test_without_numbers_there_is_no_such_page(tmp_path: Path) -> None:
    client = an_arena(tmp_path, {}).app.test_client()
    assert client.get("/numbers").status_code == 404 and 'href="/numbers' not in client.get("/").text


def test_the_page_of_numbers_that_name_none_has_a_title_in_every_language(arena: Arena) -> None:
    client = arena.app.test_client()
    for language, title in (("en", "Numbers"), ("zh", "指标")):
        page = client.get(f"/numbers?lang={language}").text
        assert f"<h1>{title}</h1>" in page and f"<span>{title}</span></a>" in page
