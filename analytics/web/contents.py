"""What each page shows of its view: the data of its charts, and whatever its template would else have to work out. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from analytics.web import shapes, tables
from analytics.web.charts import BY_NAME, columns, curves
from analytics.web.messages import Translate, msg
from analytics.web.shapes import definition
from analytics.web.tables import Table

MOST_HEAT = 10
LEAST_DAYS = 7
SPARK_WIDTH, SPARK_HEIGHT = 110, 24
OVERVIEW, RETENTION, PAYMENT, ECONOMY = "overview", "retention", "payment", "economy"
PROGRESS, AREAS, SYSTEM = "progress", "areas", "system"

Contents = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A page. ``every``: how often, in seconds, the browser asks for new numbers."""

    name: str
    title: str
    charts: tuple[str, ...] = ()
    tables: dict[str, Table] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    every: int = 15

    @property
    def path(self) -> str:
        """Where it is."""
        return "/" if self.name == OVERVIEW else f"/{self.name}"


PAGES = (
    Page(
        OVERVIEW,
        "Overview",
        ("active", "revenue", "logins", "signups", "reach"),
        {"days": tables.OVERVIEW_DAYS, "hours": tables.OVERVIEW_HOURS},
    ),
    Page(RETENTION, "Retention", ("comeback",), {"average": tables.AVERAGE}, ("of", "axis")),
    Page(
        PAYMENT,
        "Payment",
        ("income", "payers", "pay_rate", "heads", "worth"),
        {"days": tables.PAY_DAYS, "top": tables.TOP_ACCTS, "ltv": tables.LTV},
    ),
    Page(
        ECONOMY,
        "Economy",
        ("coins", "coin_hours"),
        {
            "days": tables.COIN_DAYS,
            "hours": tables.COIN_HOURS,
            "reasons": tables.REASONS,
            "items": tables.ITEMS,
        },
    ),
    Page(
        PROGRESS,
        "Progress",
        ("quests", "dungeons", "levels"),
        {"quests": tables.QUESTS, "dungeons": tables.DUNGEONS, "levels": tables.LEVELS},
    ),
    Page(AREAS, "Areas", tables={"areas": tables.AREAS}, options=("sort", "order", "search", "page")),
    Page(SYSTEM, "System", every=3),
)
BY_PAGE = {page.name: page for page in PAGES}


def overview(view: shapes.Overview, t: Translate) -> Contents:
    """Return the overview's charts, and how its tiles are written."""
    return {
        "data": {
            **{name: _data(name, view.days, t) for name in ("active", "revenue", "reach")},
            **{name: _data(name, view.hours, t) for name in ("logins", "signups")},
        },
        "tile_names": {column.field: column.label for column in tables.OVERVIEW_DAYS.columns}
        | {"reg": msg("New users")},
        "tile_kinds": {column.field: column.kind for column in tables.OVERVIEW_DAYS.columns},
    }


def retention(view: shapes.Retention, t: Translate) -> Contents:
    """Return the triangle, shaded up to its largest rate."""
    rates = [cell.rate for cohort in view.cohorts for cell in cohort.cells]
    most = max(rates, default=0.0)
    lines = [
        (_cohort_name(one), [(cell.n, cell.rate) for cell in one.cells if cell.final]) for one in view.cohorts
    ]
    content = _data("comeback", view.average, t)
    content["sources"]["comeback.cohorts"] = curves([one for one in lines if len(one[1]) > 1], "percent")
    return {
        "data": {"comeback": content},
        "cohorts": [(one, {cell.n: cell for cell in one.cells}) for one in view.cohorts],
        "averages": {one.n: one for one in view.average},
        "last_n": max((cell.n for cohort in view.cohorts for cell in cohort.cells), default=LEAST_DAYS),
        "most": most,
        "heat": lambda rate: heat(rate, most),
        "meanings": {
            name: definition(kind, name) for kind, name in ((shapes.Cohort, "size"), (shapes.Cell, "rate"))
        },
    }


def payment(view: shapes.Payment, t: Translate) -> Contents:
    """Return the payment page's charts and the table of what cohorts are worth."""
    lines = [(one.day, [(point.n, point.value) for point in one.points]) for one in view.ltv]
    worth = _data("worth", view.ltv_average, t)
    worth["sources"]["worth.cohorts"] = curves([one for one in lines if len(one[1]) > 1], "each")
    return {
        "data": {
            **{name: _data(name, view.days, t) for name in ("income", "payers", "pay_rate", "heads")},
            "worth": worth,
        },
        "all_final": all(day.final for day in view.days),
        "worth_rows": [
            {"day": one.day, "size": one.size, "final": one.final}
            | dict.fromkeys((f"day{n}" for n in tables.LTV_DAYS), None)
            | {f"day{n}": value for n, value in ((point.n, point.value) for point in one.points)}
            for one in view.ltv
        ],
    }


def economy(view: shapes.Economy, t: Translate) -> Contents:
    """Return the economy's charts."""
    return {"data": {"coins": _data("coins", view.days, t), "coin_hours": _data("coin_hours", view.hours, t)}}


def progress(view: shapes.Progress, t: Translate) -> Contents:
    """Return the charts of quests, dungeons and levels."""
    rows: dict[str, Sequence[Any]] = {"quests": view.quests, "dungeons": view.dungeons, "levels": view.levels}
    return {"data": {name: _data(name, some, t) for name, some in rows.items()}}


def areas(view: shapes.Areas, t: Translate) -> Contents:
    """Return each area with its sparklines, and which columns it can be sorted by."""
    return {
        "rows": [(row, spark(row.dau_days), spark(row.revenue_days)) for row in view.rows],
        "sortable": get_args(shapes.areas.Sort),
    }


def nothing(view: Any, t: Translate) -> Contents:
    """Return nothing: the template shows the view as it is."""
    return {}


CONTENTS: dict[str, Callable[[Any, Translate], Contents]] = {
    OVERVIEW: overview,
    RETENTION: retention,
    PAYMENT: payment,
    ECONOMY: economy,
    PROGRESS: progress,
    AREAS: areas,
    SYSTEM: nothing,
}


def heat(rate: float, most: float) -> str:
    """Return how dark a cell is, from "h0" for nothing to "h10" for the most: by the root, so that low ones differ too."""
    return f"h{max(1, round(MOST_HEAT * math.sqrt(rate / most)))}" if rate > 0 and most > 0 else "h0"


def spark(values: Sequence[float]) -> str:
    """Return the points of a sparkline from 0 to its largest value."""
    most = max(values, default=0) or 1
    step = SPARK_WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{number * step:.1f},{(SPARK_HEIGHT - 2) * (1 - value / most) + 1:.1f}"
        for number, value in enumerate(values)
    )


def _data(name: str, rows: Sequence[Any], t: Translate) -> dict[str, Any]:
    """Return what the browser fills a figure with: columns by source, and the words of its axis."""
    chart = BY_NAME[name]
    content = columns(chart, rows, t("so far"))
    words = {f"{name}.words": list(dict.fromkeys(content["x"]))} if chart.x == "word" else {}
    return {"sources": {f"{name}.rows": content}, "words": words}


def _cohort_name(one: shapes.Cohort) -> str:
    return one.day or str(one.open_day)
