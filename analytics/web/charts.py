"""What the charts of all pages show: which fields of which rows, as bars or lines. :mod:`.figures` has Bokeh draw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Literal

from analytics.web.display import NOTHING, shown

X = Literal["day", "hour", "number", "word"]
Form = Literal["stacked", "beside", "before", "lines"]
"""Bars on each other, beside each other, narrower ones before wider ones; or lines."""

OPEN_ALPHA = 0.45
OPEN_SIZE = 7


@dataclass(frozen=True)
class Series:
    """A field of the rows, drawn in one of the six colours. ``faint``: what others are compared with."""

    field: str
    label: str
    colour: int = 1
    kind: str = "count"
    faint: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart: bars or lines over days, the hours of one, numbers or words.

    Attributes:
        unit: how the axis writes its numbers, as :mod:`analytics.web.display` names it.
        cohorts: whether there are thin lines behind, one for each cohort.
    """

    name: str
    title: str
    x_field: str
    series: tuple[Series, ...]
    x: X = "day"
    form: Form = "lines"
    unit: str = "count"
    x_title: str = ""
    cohorts: bool = False


CHARTS = (
    Chart(
        "active",
        "Active users",
        "day",
        (Series("old_users", "Old", 1), Series("new_users", "New", 2)),
        form="stacked",
    ),
    Chart("revenue", "Revenue", "day", (Series("revenue", "Revenue", 1, "money"),), form="stacked"),
    Chart(
        "logins",
        "Log-ins by hour",
        "hour",
        (Series("logins_today", "Newest day", 1), Series("logins_yesterday", "Day before", 6, faint=True)),
        x="hour",
    ),
    Chart(
        "signups",
        "Sign-ups by hour",
        "hour",
        (Series("signups_today", "Newest day", 2), Series("signups_yesterday", "Day before", 6, faint=True)),
        x="hour",
    ),
    Chart(
        "reach",
        "Active in a day, a week, a month",
        "day",
        (Series("mau", "MAU", 5), Series("wau", "WAU", 3), Series("dau", "DAU", 1)),
    ),
    Chart(
        "comeback",
        "Who comes back",
        "n",
        (Series("rate", "Weighted average", 1, "percent"),),
        x="number",
        unit="percent",
        x_title="Days after",
        cohorts=True,
    ),
    Chart("income", "Revenue", "day", (Series("revenue", "Revenue", 1, "money"),), form="stacked"),
    Chart("payers", "Payers", "day", (Series("payers", "Payers", 2),), form="stacked"),
    Chart(
        "pay_rate",
        "Pay rate",
        "day",
        (
            Series("pay_rate", "All", 1, "quotient"),
            Series("new_pay_rate", "Of those who signed up that day", 3, "quotient"),
        ),
        unit="quotient",
    ),
    Chart(
        "heads",
        "Revenue per head",
        "day",
        (Series("arppu", "ARPPU", 5, "each"), Series("arpu", "ARPU", 1, "each")),
        unit="money",
    ),
    Chart(
        "worth",
        "Lifetime value",
        "n",
        (Series("value", "Weighted average", 1, "each"),),
        x="number",
        unit="money",
        x_title="Days after sign-up",
        cohorts=True,
    ),
    Chart(
        "coins",
        "Coins by day",
        "day",
        (Series("spent", "Spent", 1), Series("gained", "Gained", 2)),
        form="beside",
    ),
    Chart(
        "coin_hours",
        "Coins by hour",
        "hour",
        (
            Series("spent_today", "Spent", 1),
            Series("spent_yesterday", "Spent, day before", 1, faint=True),
            Series("gained_today", "Gained", 2),
            Series("gained_yesterday", "Gained, day before", 2, faint=True),
        ),
        x="hour",
    ),
    Chart(
        "quests",
        "Quest funnel",
        "task",
        (Series("accept_users", "Accepted", 6), Series("finish_users", "Finished", 1)),
        x="word",
        form="before",
        x_title="Quest",
    ),
    Chart(
        "dungeons",
        "Dungeons",
        "fuben",
        (Series("passed", "Passed", 2), Series("failed", "Failed", 4)),
        x="word",
        form="stacked",
    ),
    Chart(
        "levels", "Levels", "grade", (Series("roles", "Roles", 5),), x="word", form="stacked", x_title="Level"
    ),
)
BY_NAME = {chart.name: chart for chart in CHARTS}


def columns(chart: Chart, rows: Sequence[Any], so_far: str = "") -> dict[str, list[Any]]:
    """Return a chart's data: for each field its values, and each as text; where bars are faint for being unfinished.

    Args:
        so_far: what to write behind the name of a row that is not final.
    """
    finals = [getattr(row, "final", True) for row in rows]
    names = [getattr(row, chart.x_field) for row in rows]
    result: dict[str, list[Any]] = {
        "x": [_place(chart.x, name) for name in names],
        "label": [
            str(name) + ("" if final else f" · {so_far}") for name, final in zip(names, finals, strict=True)
        ],
        "alpha": [1.0 if final else OPEN_ALPHA for final in finals],
        "open": [0 if final else OPEN_SIZE for final in finals],
    }
    for series in chart.series:
        values = [getattr(row, series.field) for row in rows]
        result[series.field] = values
        result[f"{series.field}_text"] = [shown(value, series.kind) for value in values]
    return result


def curves(lines: Sequence[tuple[str, Sequence[tuple[int, float]]]], kind: str) -> dict[str, list[Any]]:
    """Return the thin lines of cohorts: each one's name and its points."""
    return {
        "label": [name for name, _ in lines],
        "xs": [[n for n, _ in points] for _, points in lines],
        "ys": [[value for _, value in points] for _, points in lines],
        "last": [shown(points[-1][1], kind) if points else NOTHING for _, points in lines],
    }


def _place(x: X, name: Any) -> Any:
    """Return where on the axis a row stands. Days are drawn as if they were of UTC, wherever the browser is."""
    if x == "day":
        return datetime.combine(date.fromisoformat(name), time(), UTC).timestamp() * 1000
    if x == "hour":
        return int(name[:2])
    return name if x == "number" else str(name)
