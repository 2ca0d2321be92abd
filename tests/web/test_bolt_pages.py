"""The page of every bolt, as its declaration has it: its numbers are those of plain counting, and nothing is added up that can't be."""

import csv
import html
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from own_bolts import (
    AREAS,
    BRACKETS,
    DAYS,
    FIRST,
    LAST,
    LOCAL,
    OWN,
    SUMMED,
    Arena,
    Fight,
    a_bolt,
    an_arena,
    day,
)
from store_reader import StoreReader

from analytics.bolts import BOLTS
from analytics.config import areas, catalogue, load
from analytics.core.fields import BoltFields
from analytics.core.latest import Latest
from analytics.core.measures import Count, Distinct, Extreme
from analytics.core.periods import zone
from analytics.store import MemoryStore
from analytics.web.app import create_app
from analytics.web.custom import bolt_reading
from analytics.web.custom.bolt_reading import LINES, TOP
from analytics.web.custom.structs import PARAMETERS, ROWS, FieldNames
from analytics.web.data import Data
from analytics.web.place import ONE_DAY
from benchmarks.queries import RecordingReader

SPAN = f"from={FIRST}&to={LAST}"


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    return an_arena(tmp_path_factory.mktemp("arena"))


def got(arena: Arena, path: str, query: str = "") -> Any:
    answer = arena.app.test_client().get(f"/api/v1/collections/{path}?{SPAN}&{query}")
    assert answer.status_code == 200, answer.text
    return (
        list(csv.DictReader(answer.text.splitlines())) if path.endswith(".csv") else json.loads(answer.text)
    )


def counted(fights: list[Fight]) -> dict[str, Any]:
    wins = sum(one.result == "win" for one in fights)
    return {
        "fights": len(fights),
        "wins": wins,
        "players": len({one.acct for one in fights}),
        "points": sum(one.points for one in fights),
        "win_rate": round(100 * wins / len(fights), 2) if fights else 0,
    }


PLACES = {
    "": [*AREAS],
    "plat=p1": ["s1", "s2"],
    "area=s1,s3": ["s1", "s3"],
    "area=s2": ["s2"],
}


@pytest.mark.parametrize("query", PLACES)
@pytest.mark.parametrize("bolt", ["pvp", "pvp_untotalled"])
def test_numbers_by_day_and_by_key_are_those_of_the_fights(arena: Arena, bolt: str, query: str) -> None:
    answer = got(arena, bolt, query)
    fights = [one for one in arena.fights if one.area in PLACES[query]]
    for row in answer["periods"]:
        expected = counted([one for one in fights if day(one) == row["day"]]) | {"players": None}
        assert row == {"day": row["day"], **expected, "final": row["day"] < str(LAST)}
    assert len(answer["periods"]) == DAYS and answer["unsaid"] == ["players"]
    most = Counter(one.bracket for one in fights).most_common()
    assert [row["fights"] for row in answer["keys"]] == [count for _, count in most]
    for row in answer["keys"]:
        expected = counted([one for one in fights if one.bracket == row["bracket"]]) | {"players": None}
        assert row == {"bracket": row["bracket"], **expected}


@pytest.mark.parametrize("field", ["fights", "points", "win_rate"])
def test_the_lines_are_the_keys_with_the_most_and_all_others(arena: Arena, field: str) -> None:
    lines = got(arena, "pvp", f"field={field}")["lines"]
    ranked: Counter[str] = Counter()
    for one in arena.fights:
        ranked[one.bracket] += one.points if field == "points" else 1
    names = [name for name, _ in ranked.most_common(LINES)]
    assert [line["name"] for line in lines] == [*names, None]
    for name, line in zip((*names, None), lines, strict=True):
        for n, value in enumerate(line["values"]):
            of_day = arena.some(day=str(FIRST.replace(day=FIRST.day + n)))
            some = [
                one for one in of_day if one.bracket == name or (name is None and one.bracket not in names)
            ]
            assert value == counted(some)[field]


def test_shares_have_a_percent_sign_in_tables_and_charts(arena: Arena) -> None:
    def page(field: str) -> str:
        asked = arena.app.test_client().get(f"/collections/pvp?{SPAN}&field={field}&area=s2")
        return html.unescape(asked.text)

    row = got(arena, "pvp", "area=s2")["periods"][0]
    [cells] = re.findall(rf'<th scope="row">{row["day"]}</th>(.*?)</tr>', page("win_rate"))
    shown = dict(re.findall(r'data-field="(\w+)">(.*?)</td>', cells))
    assert (shown["win_rate"], shown["fights"]) == (f"{row['win_rate']:.2f}%", str(row["fights"]))
    for field, signs in {"win_rate": {"%"}, "fights": set()}.items():
        _, texts = re.findall(r'"v0_text": ?\[(.*?)\]', page(field))
        assert {one for one in texts if not re.match(r'[\d.,"– ]', one)} == signs


def test_what_is_distinct_shows_of_one_area_and_key(arena: Arena) -> None:
    fights = arena.some(area="s2")
    answer = got(arena, "pvp", "area=s2&field=players")
    assert answer["unsaid"] == ["players"] and len(answer["lines"]) == LINES
    for line in answer["lines"]:
        of = [one for one in fights if one.bracket == line["name"]]
        assert line["values"] == [
            counted([one for one in of if day(one) == row["day"]])["players"] for row in answer["periods"]
        ]
    assert got(arena, "pvp", "area=s2&field=players&split=all")["lines"] == []
    answer = got(arena, "pvp", "area=s2&field=players&split=all&bracket=gold")
    of = [one for one in fights if one.bracket == "gold"]
    assert answer["unsaid"] == []
    for row, value in zip(answer["periods"], answer["lines"][0]["values"], strict=True):
        some = [one for one in of if day(one) == row["day"]]
        assert row["players"] == value == counted(some)["players"]
    assert got(arena, "pvp", "field=players")["lines"] == [], "areas can't be added up"


def test_hours_are_added_up_to_days_but_not_what_is_distinct_in_them(arena: Arena) -> None:
    answer = got(arena, "pvp_hours", "area=s1&field=points")
    for row in answer["periods"]:
        expected = counted(arena.some(area="s1", day=row["day"]))
        assert (row["points"], row["players"]) == (expected["points"], None)
    begun = [one for one in answer["hours"] if one["value_today"] is not None]
    assert sum(one["value_today"] for one in begun) == answer["periods"][-1]["points"] and len(begun) == 21


def test_weeks_begin_on_mondays_and_end_on_sundays(arena: Arena) -> None:
    rows = got(arena, "pvp_weeks", "area=s1")["periods"]
    assert [(row["day"], row["final"]) for row in rows] == [("2026-03-02", True), ("2026-03-09", False)]
    for row in rows:
        week = [
            one for one in arena.some(area="s1") if (day(one) < "2026-03-09") == (row["day"] == "2026-03-02")
        ]
        assert row["players"] == counted(week)["players"]


def test_a_day_is_each_areas_own(tmp_path: Path) -> None:
    zones = {"s1": "Asia/Shanghai", "s2": "Asia/Shanghai", "s3": "America/New_York"}
    arena = an_arena(tmp_path, {"pvp_untotalled": SUMMED}, zones)
    by_day: Counter[str] = Counter(str(zone(zones[one.area]).local(one.ts).date()) for one in arena.fights)
    assert by_day != Counter(map(day, arena.fights))
    answer = got(arena, "pvp_untotalled")
    assert [row["fights"] for row in answer["periods"]] == [by_day[row["day"]] for row in answer["periods"]]
    inside = [one for one in arena.fights if str(zone(zones[one.area]).local(one.ts).date()) >= str(FIRST)]
    most = Counter(one.bracket for one in inside).most_common()
    assert [row["fights"] for row in answer["keys"]] == [count for _, count in most]
    assert [line["name"] for line in answer["lines"]] == [*(name for name, _ in most[:LINES]), None]
    rows = got(arena, "pvp_untotalled/documents.csv")
    assert sum(int(row["fights"]) for row in rows) == len(inside) == sum(count for _, count in most)


def test_documents_come_in_pages_and_all_of_them_as_csv(arena: Arena) -> None:
    for bolt in OWN:
        pages, page, more = [], 1, True
        while more:
            answer = got(arena, bolt, f"size=7&page={page}")
            pages += answer["documents"]
            page, more = page + 1, answer["more"]
        stored = arena.documents[bolt]
        assert len(pages) == len(stored) and max(map(len, [answer["documents"]])) <= 7
        rows = got(arena, f"{bolt}/documents.csv")
        assert [list(map(str, one.values())) for one in pages] == [list(row.values()) for row in rows]
        assert Counter(row["players"] for row in rows) == Counter(str(one["players"]) for one in stored)
        assert Counter(row["best"] for row in rows) == Counter(str(one["best"]) for one in stored)
        days = [row["day"] for row in rows if "day" in row]
        assert days == sorted(days, reverse=True)


def test_no_list_of_accts_is_shown(arena: Arena) -> None:
    for bolt in ("pvp", "pvp_hours"):
        assert '"a1' not in json.dumps(got(arena, bolt)) and "_players" not in json.dumps(got(arena, bolt))
        assert not [row for row in got(arena, f"{bolt}/documents.csv") if "a1" in row.values()]


def test_a_key_of_a_document_without_period_is_found(arena: Arena) -> None:
    (row,) = got(arena, "pvp_accts", "area=s1&acct=a7")["documents"]
    assert row["fights"] == len(arena.some(area="s1", acct="a7"))
    assert got(arena, "pvp_accts", "acct=nobody")["documents"] == []


def test_tables_as_csv(arena: Arena) -> None:
    assert [row["bracket"] for row in got(arena, "pvp/keys.csv")] == [
        row["bracket"] for row in got(arena, "pvp")["keys"]
    ]
    by_both: dict[tuple[str, str], list[Fight]] = defaultdict(list)
    for one in arena.fights:
        by_both[day(one), one.bracket].append(one)
    rows = got(arena, "pvp/cells.csv")
    assert [(row["day"], row["bracket"]) for row in rows] == sorted(by_both)
    for row in rows:
        expected = counted(by_both[row["day"], row["bracket"]])
        assert [row[name] for name in ("fights", "points", "players")] == [
            str(expected["fights"]),
            str(expected["points"]),
            "",
        ]
    assert len(got(arena, "pvp/periods.csv")) == DAYS


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/collections/nothing", 404, "There is no such page"),
        ("/api/v1/collections/nothing", 404, "there is no such page; there are: overview"),
        ("/api/v1/collections/pvp/nothing.csv", 404, "collections/pvp/cells.csv"),
        ("/api/v1/collections/pvp?field=x", 400, "field: expected one of fights, wins, players, points, win_rate"),
        ("/api/v1/collections/pvp?brackets=x", 400, "did you mean bracket?"),
        ("/collections/pvp?page=101", 400, "page: expected a whole number from 1 to 100"),
        ("/collections/pvp?bracket=%3Cb%3E$where", 200, "&lt;b&gt;$where"),
        ("/figures/collections/pvp.en.json", 200, "lines.hover"),
        ("/figures/collections/x.en.json", 404, "no such page"),
        ("/collections", 200, 'href="/collections/pvp"'),
        ("/", 200, 'href="/collections/pvp_hours"'),
    ],
)  # fmt: skip
def test_addresses(arena: Arena, path: str, status: int, says: str) -> None:
    answer = arena.app.test_client().get(path)
    assert answer.status_code == status and says in answer.text


@pytest.mark.parametrize("bolt", [*BOLTS, *OWN])
def test_every_bolt_has_a_page_in_both_languages_and_a_description(arena: Arena, bolt: str) -> None:
    client = arena.app.test_client()
    described = client.get("/api/v1/openapi.json").json
    for language in ("en", "zh"):
        page = client.get(f"/collections/{bolt}?{SPAN}&lang={language}")
        assert page.status_code == 200 and f"<h1>{bolt}</h1>" in page.text
        assert 'aria-current="page"' in page.text
    assert f"/api/v1/collections/{bolt}" in described["paths"]
    assert f"/api/v1/collections/{bolt}/documents.csv" in described["paths"]


def test_the_menu_has_a_few_own_bolts_and_the_index_has_all(tmp_path: Path) -> None:
    many = {f"own{n}": a_bolt(f"own{n}") for n in range(9)}
    client = an_arena(tmp_path, many).app.test_client()
    menu = client.get("/").text
    assert menu.count('href="/collections/own') == 6 and 'href="/collections"' in menu
    assert client.get("/collections").text.count('<th scope="row"><a href="/collections/own') == 9
    assert 'href="/collections" aria-current="page"' in client.get("/collections/own8").text


def test_names_of_fields_that_a_row_has_already(tmp_path: Path) -> None:
    odd = a_bolt(
        "odd", by={"field": "data.bracket", "class": "data.result"}, finish=None,
        measures={"final": Count(), "a-b": Count(), "a_b": Count(), "page": Distinct("data.acct", list_field="_list")},
    )  # fmt: skip
    arena = an_arena(tmp_path, {"odd": odd})
    answer = got(arena, "odd", "field_=gold&class=win&field=a-b&split=class")
    of = arena.some(bracket="gold", result="win")
    assert (
        sum(row["final_"] for row in answer["periods"])
        == len(of)
        == sum(row["a_b"] for row in answer["periods"])
    )
    assert [line["name"] for line in answer["lines"]] == ["win"]
    assert FieldNames(PARAMETERS, ["compare"])["compare"] == "compare_"
    assert FieldNames(["a"], ["a", "a_", "1b"]).row({"a": 1, "a_": 2, "1b": 3}) == {
        "a_": 1,
        "a__": 2,
        "_1b": 3,
    }


def test_a_bolt_without_a_number_shows_its_documents(tmp_path: Path) -> None:
    best = {"best": Extreme("data.points", max), "newest": Latest("data.result", "ts", default=None)}
    arena = an_arena(tmp_path, {"peaks": a_bolt("peaks", measures=best, finish=None, totals=False)})
    answer = got(arena, "peaks", "area=s1&size=100")
    assert len(answer["documents"]) == len([one for one in arena.documents["peaks"] if one["area"] == "s1"])
    assert answer["documents"][0]["best"] > 0 and answer["documents"][0]["newest"] in ("win", "loss")
    assert answer["lines"] == [] and len(answer["periods"]) == DAYS
    assert arena.app.test_client().get("/collections/peaks").status_code == 200


def test_what_is_derived_needs_what_it_is_derived_from() -> None:
    fields = BoltFields(BOLTS["mainline"])
    assert fields.derived == ("finish_rate",) and fields.added == ("accept", "finish")
    assert fields.of_sums({"accept": 4, "finish": 2})["finish_rate"] is None
    assert fields.of_sums({"accept_users": 4, "finish_users": 2})["finish_rate"] == 50


def test_what_is_derived_of_a_table_in_the_configuration_is_found_by_what_it_changes_with(
    tmp_path: Path,
) -> None:
    bolts = catalogue(load(_file(tmp_path, TOML)))
    fields = BoltFields(bolts["duel"])
    assert fields.added == ("fights", "wins") and fields.extremes == ("best",)
    assert fields.derived == ("win_rate", "a_head", "surplus", "of_best")
    assert fields.of_sums({"fights": 8, "wins": 2}) == {
        "fights": 8, "wins": 2, "players": None, "win_rate": 25, "a_head": None, "surplus": -4, "of_best": None,
    }  # fmt: skip
    assert fields.of_sums({"fights": 8, "wins": 2, "players": 4})["a_head"] == 2


def test_a_bolt_of_the_configuration_has_a_page(tmp_path: Path) -> None:
    config = load(_file(tmp_path, TOML))
    store = MemoryStore()
    data = Data(config, store, StoreReader(store), areas(config), bolts=catalogue(config))
    client = create_app(data).test_client()
    assert client.get("/collections/duel").status_code == client.get("/numbers").status_code == 200
    assert 'href="/collections/duel"' in client.get("/").text
    assert "bracket" in str(client.get("/api/v1/openapi.json").json["paths"]["/api/v1/collections/duel"])


TOML = """
[games.g.areas.s1]
plat = "p"

[bolts.duel]
reads = "duel_log"
by = ["bracket"]
measures.fights = "count"
measures.wins = { count = { where = "result == 'win'" } }
measures.players = { distinct = "acct" }
measures.best = { max = "points" }
derived.win_rate = "percent(wins, fights)"
derived.a_head = "fights / players"
derived.surplus = "wins * 2 - fights"
derived.of_best = "fights / best"

[numbers.lost]
title = "Fights lost"
value = "duel.fights - duel.wins"
"""


def _file(folder: Path, text: str) -> Path:
    (folder / "analytics.toml").write_text(text)
    return folder / "analytics.toml"


def test_a_page_asks_for_few_sums_and_little_of_each(arena: Arena) -> None:
    reader = RecordingReader(arena.data.reader)
    object.__setattr__(arena.data, "reader", reader)
    try:
        got(arena, "pvp")
    finally:
        object.__setattr__(arena.data, "reader", reader._reader)
    assert [one.query.collection for one in reader.asked].count("pvp_total") == 3
    assert {one.query.collection for one in reader.asked} == {"activeday_total", "pvp_total", "pvp"}
    assert all(one.bounded for one in reader.asked)
    assert reader.found < DAYS * (LINES + 3) + 2 * TOP, "less than the documents that there are"


@pytest.mark.parametrize(("bracket", "days"), [("none", 2), (BRACKETS[0], DAYS)])
def test_days_without_the_chosen_value_are_not_searched(arena: Arena, bracket: str, days: int) -> None:
    """But the newest: their totals may not have been computed yet. With totals, the same documents are found as without."""
    reader = RecordingReader(arena.data.reader)
    object.__setattr__(arena.data, "reader", reader)
    try:
        found = got(arena, "pvp", f"bracket={bracket}")
    finally:
        object.__setattr__(arena.data, "reader", reader._reader)
    [searched] = [one.query for one in reader.asked if one.query.collection == "pvp"]
    assert (searched.since, searched.until) == (
        LOCAL.day_of(str(LAST - (days - 1) * ONE_DAY)),
        LOCAL.day_of(str(LAST + ONE_DAY)),
    )
    assert found["documents"] == got(arena, "pvp_untotalled", f"bracket={bracket}")["documents"]


def test_too_many_documents_are_added_up_for_a_csv_alone(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bolt_reading, "MOST_AREA_DAYS", DAYS * len(AREAS) - 1)
    answer = got(arena, "pvp_untotalled")
    assert answer["too_wide"] and answer["keys"] == answer["lines"] == [] and len(answer["documents"]) == ROWS
    assert {row["fights"] for row in answer["periods"]} == {None}
    page = arena.app.test_client().get(f"/collections/pvp_untotalled?{SPAN}").text
    assert (
        "too many to add up" in page
        and "too many" not in arena.app.test_client().get("/collections/pvp").text
    )
    cells, keys = got(arena, "pvp_untotalled/cells.csv"), got(arena, "pvp_untotalled/keys.csv")
    for rows in (cells, keys):
        assert sum(int(row["fights"]) for row in rows) == len(arena.fights)
    for bolt, query in (("pvp", ""), ("pvp_untotalled", "area=s1"), ("pvp_weeks", "")):
        assert not got(arena, bolt, query)["too_wide"]


def test_there_is_something_to_compare(arena: Arena) -> None:
    assert {one.bracket for one in arena.fights} == {*BRACKETS}
