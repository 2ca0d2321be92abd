"""*Payers* and the lifecycle show what documents say, and of several areas their sums."""

import json
from datetime import date
from types import SimpleNamespace

import pytest
from month import FIRST, LAST, Month, a_month

from analytics.timers.payers import NUMBERS
from analytics.web.charts import content
from analytics.web.figures import figures
from analytics.web.pages import PAGES

APRIL = LAST.replace(day=1)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return a_month(tmp_path_factory.mktemp("data"), areas=3, players=60)


def days(month: Month, address: str, table: str) -> dict[str, dict]:
    answer = month.app.test_client().get(f"/api/v1/{address}").json
    return {one["day"]: one for one in answer[table]}


def test_a_game_is_shown_as_it_is_stored(month: Month) -> None:
    stored = month.of_game("payers", APRIL)
    shown = days(month, "payers?game=dl", "months")[str(APRIL)]
    assert {name: shown[name] for name in NUMBERS} == pytest.approx({name: stored[name] for name in NUMBERS})
    assert stored["payers"] > 2 and stored["repeat_payers"] > 0
    lifecycle = month.of_game("lifecycle", LAST)
    assert days(month, "retention?game=dl", "lifecycle")[str(LAST)].items() >= {
        (name, lifecycle[name])
        for name in ("active", "before", "new", "retained", "returned", "lost", "final")
    }


def test_charts_of_months_have_a_tick_a_month_and_those_of_money_its_currency() -> None:
    page = next(page for page in PAGES if page.name == "payers")
    drawn = json.loads(figures(page.charts, "en"))["figures"]
    for chart in page.charts:
        assert (
            "MonthsTicker" in json.dumps(drawn[chart.name]["doc"]["roots"][0]["attributes"]["below"])
        ) == chart.months
    tiers = next(chart for chart in page.charts if chart.name == "tiers")
    filled = content(tiers, SimpleNamespace(months=[]), str, str, currency="¥")
    assert tiers.months and filled["models"] == {"tiers.unit": {"axis_label": "¥"}}
    assert '"name": "tiers.unit"' in json.dumps(drawn["tiers"])


@pytest.mark.parametrize("of", ["login", "pay"])
@pytest.mark.parametrize(("by", "ending"), [("rolling", ""), ("week", "week"), ("month", "month")])
def test_retention_by_other_numbers_is_the_stored_one(month: Month, of: str, by: str, ending: str) -> None:
    name = f"{of}{ending}" if ending else {"login": "loginretention", "pay": "paytraceday"}[of]
    address = f"retention?game=dl&by={by}&of={'login' if of == 'login' else 'payment'}&from={FIRST}"
    cohorts = days(month, address, "cohorts")
    field = "rolling" if by == "rolling" else "count"
    for day, shown in cohorts.items():
        stored = month.of_game(name, date.fromisoformat(day))
        assert {str(cell["n"]): cell["count"] for cell in shown["cells"]} == {
            n: cell[field] for n, cell in stored["retention"].items()
        }
        if by != "rolling":
            assert shown["final"] == stored["final"] is False
    assert any(one["cells"] for one in cohorts.values())
    assert month.app.test_client().get(f"/{address}").status_code == 200


def test_areas_are_added_up(month: Month) -> None:
    areas = [id_ for id_, area in month.data.areas.items() if area.game == "dl"][:2]
    shown = days(month, f"payers?area={','.join(areas)}", "months")[str(APRIL)]
    of_areas = [one for one in month.some("payers", ts=shown_ts(month)) if one["area"] in areas]
    for name in ("payers", "before", "lost_payers", "top10_revenue"):
        assert shown[name] == pytest.approx(sum(one[name] for one in of_areas))
    rate = 100 * shown["top10_revenue"] / shown["revenue"]
    assert len(of_areas) == 2 and shown["top10_rate"] == pytest.approx(rate, abs=0.01)


def shown_ts(month: Month) -> int:
    return month.of_game("payers", APRIL)["ts"]


def test_the_conversion_of_a_cohort_is_the_stored_one(month: Month) -> None:
    found = days(month, "payers?game=dl", "cohorts")
    day = min(found)
    stored = month.of_game("firstpay", date.fromisoformat(day))
    assert (found[day]["size"], found[day]["median_days"]) == (stored["reg"], stored["median_days"])
    points = {str(one["n"]): {"count": one["count"], "rate": one["rate"]} for one in found[day]["points"]}
    assert points == stored["paid"] and len(points) > 10


def test_what_is_empty_says_why(month: Month) -> None:
    client = month.app.test_client()
    assert "No cohort of these days is 45 days old" in client.get("/retention?by=later").text
    areas = [id_ for id_, area in month.data.areas.items() if area.game == "dl"][:2]
    assert "needs one area, plat or game" in client.get(f"/payment?area={','.join(areas)}").text
    assert "an estimate" in client.get("/payment?game=dl").text
