"""Comparisons: any chart beside another period, area or plat, each number where its counterpart is."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from entering import LAST, SPAN, dashboard, put, sources, start
from flask.testing import FlaskClient

from analytics.store.store import AREAS
from analytics.web.figures import figures
from analytics.web.pages import PAGES
from analytics.web.reading.figures import ADDED

DAYS = 14


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return dashboard(tmp_path_factory.mktemp("compared"))[0].test_client()


@pytest.mark.parametrize("compare", ["before", "from:2026-03-06"])
def test_another_period_stands_where_the_own_days_are(client: FlaskClient, compare: str) -> None:
    found = sources(client, f"/?game=dl&{SPAN}&compare={compare}", "revenue")
    other = sources(client, "/?game=dl&from=2026-03-06&to=2026-03-19", "revenue")
    assert found["compared"]["x"] == found["rows"]["x"] and len(found["rows"]["x"]) == DAYS
    assert found["compared"]["revenue"] == other["rows"]["revenue"] != found["rows"]["revenue"]
    assert found["compared"]["label"][0] == "2026-03-06 · 2026-03-06 – 2026-03-19"
    assert other["compared"]["x"] == []


def test_another_area_or_plat_is_compared(client: FlaskClient) -> None:
    found = sources(client, f"/?game=dl&{SPAN}&compare=area:s2", "active")
    own = sources(client, f"/?area=s2&{SPAN}", "active")["rows"]
    assert found["compared"]["total"] == [
        a + b for a, b in zip(own["old_users"], own["new_users"], strict=True)
    ]
    assert found["compared"]["total"] != found["rows"]["old_users"]
    assert sources(client, f"/payment?area=s1&{SPAN}&compare=plat:2002", "income")["compared"]["label"][-1].startswith(str(LAST))  # fmt: skip


def test_the_page_keeps_a_comparison_and_its_csvs_are_the_pages_own(client: FlaskClient) -> None:
    page = client.get(f"/?game=dl&{SPAN}&compare=before").text
    assert "compared: 2026-03-06 – 2026-03-19" in page and 'id="table-revenue-compared"' in page
    assert 'value="before"' in page and 'href="/payment?game=dl&amp;from=2026-03-20&amp;to=2026-04-02&amp;compare=before"' in page  # fmt: skip
    for link in set(re.findall(r'href="(/api/v1/[^"]+)"', page)):
        assert client.get(link.replace("&amp;", "&")).status_code == 200
    link = client.post(
        "/api/v1/links", json={"page": "overview", "query": {"game": "dl", "compare": "before"}}
    )
    shared = client.get(link.json["address"].removeprefix("http://localhost"))
    assert "compared: " in shared.text


@pytest.mark.parametrize(
    "page", [one for one in PAGES if one.charts and one.has_filter], ids=lambda page: page.name
)
def test_every_page_with_charts_can_be_compared(client: FlaskClient, page: Any) -> None:
    answer = client.get(f"{page.path}?game=dl&{SPAN}&compare=before")
    assert answer.status_code == 200 and 'value="before"' in answer.text, page.name


@pytest.mark.parametrize(
    "compare",
    [
        "after",
        "before:x",
        "from:soon",
        "from:20260306",
        "from:2100-01-01",
        "from:",
        "area:nowhere",
        "area:w1",
        "plat:9",
        "segment:x:y",
    ],
)
def test_what_cannot_be_compared_is_refused(client: FlaskClient, compare: str) -> None:
    assert client.get(f"/?game=dl&{SPAN}&compare={compare}").status_code == 400


def test_figures_draw_what_is_compared_and_mark_days_and_hours() -> None:
    kinds = {(chart.x, chart.form == "stacked"): chart for page in PAGES for chart in page.charts}
    for kind in (("day", True), ("hour", False), ("word", False)):
        chart = kinds[kind]
        drawn = figures.__wrapped__((chart,), "en").decode()
        assert f'"{chart.name}.compared"' in drawn
        assert ('"total"' in drawn) == (len(chart.compared) < len(chart.series) and kind[1])
        assert (f'"{chart.name}.marks"' in drawn) == (chart.x != "word")


def test_an_area_whose_day_goes_on_is_compared_with_nothing(tmp_path: Path) -> None:
    app, data, clock = dashboard(tmp_path)
    for day, dau in ((LAST - timedelta(days=1), 40), (LAST, 30)):
        row = {"game": "dl", "scope": "game", "plat": "", "ts": start(day), "areas": ["s1"], "dau": [dau]}
        put(
            data.entries, AREAS, f"game:dl:{start(day)}", row | {name: [0] for name in ADDED if name != "dau"}
        )
    client = app.test_client()

    def change() -> float | None:
        rows = client.get(f"/api/v1/areas?game=dl&{SPAN}").json["rows"]
        return next(row["change"] for row in rows if row["area"] == "s1")

    assert change() is None
    clock.now = start(LAST) + 86_400
    assert change() == -25.0
