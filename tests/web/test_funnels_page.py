"""*Funnels* adds up the days of sign-up, and shows each of them."""

from datetime import date
from pathlib import Path

from month import LAST, TIMEZONE, a_month, start

from analytics.core.periods import zone


def test_a_funnel_is_shown_by_step_and_day(tmp_path: Path) -> None:
    month = a_month(tmp_path, areas=3, players=30)
    client = month.app.test_client()
    answer = client.get("/api/v1/funnels?game=dl").json
    documents = [
        one for one in month.some("funnel_total", game="dl", scope="game") if one["ts"] <= start(LAST)
    ]
    shown = [one for one in documents if answer["scope"]["first"] <= str(month_day(one["ts"]))]
    assert shown and [(one["step"], one["count"]) for one in answer["steps"]] == [
        (step["step"], sum(one["steps"][key]["count"] for one in shown))
        for key, step in sorted(shown[0]["steps"].items())
    ]
    last = max(shown, key=lambda one: one["ts"])
    cohort = [one for one in answer["cohorts"] if one["day"] == str(month_day(last["ts"]))]
    assert [one["rate"] for one in cohort] == [step["rate"] for _, step in sorted(last["steps"].items())]
    assert cohort[0]["median_minutes"] == 0 and answer["steps"][1]["count"] > 0
    assert "task:5 finish" in client.get("/funnels?game=dl").text
    assert "first_week" in client.get("/api/v1/funnels/steps.csv?game=dl").text


def month_day(ts: int) -> date:
    return zone(TIMEZONE).local(ts).date()
