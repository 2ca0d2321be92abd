"""What each page shows of its view: the data of its charts, and whatever its template would else have to work out. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args

from analytics.web import shapes, tables
from analytics.web.charts import BY_NAME, columns, curves
from analytics.web.display import count
from analytics.web.messages import Translate, msg
from analytics.web.shapes import definition
from analytics.web.tables import Table

MOST_HEAT = 10
LEAST_DAYS = 7
SPARK_HEIGHT = 50
"""Twice its pixels, whole numbers: a page may have 180,000 points, and short ones are written and packed sooner."""
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
    last_n = max((cell.n for cohort in view.cohorts for cell in cohort.cells), default=LEAST_DAYS)
    lines = [
        (_cohort_name(one), [(cell.n, cell.rate) for cell in one.cells if cell.final]) for one in view.cohorts
    ]
    content = _data("comeback", view.average, t)
    content["sources"]["comeback.cohorts"] = curves([one for one in lines if len(one[1]) > 1], "percent")
    return {
        "data": {"comeback": content},
        "cohorts": [
            (one, shaded([(cell, one.size) for cell in one.cells], most, last_n)) for one in view.cohorts
        ],
        "averages": shaded([(one, one.size) for one in view.average], most, last_n) if view.average else (),
        "last_n": last_n,
        "most": most,
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
        "worth_of": [(one.n, one.cohorts) for one in view.ltv_average if one.n in tables.LTV_DAYS],
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
        "spark_box": f"0 0 {max(1, len(view.days) - 1)} {SPARK_HEIGHT}",
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


class Shaded(NamedTuple):
    """How a cell of the triangle is written: its classes, its title, its text."""

    classes: str
    title: str
    text: str


def shaded(
    cells: Iterable[tuple[shapes.Cell | shapes.Average, int]], most: float, last_n: int
) -> list[Shaded | None]:
    """Return a row from the 1st to the ``last_n``-th day after; None where it has no cell. Each comes with its cohort's size."""
    row: list[Shaded | None] = [None] * last_n
    for cell, size in cells:
        final = not isinstance(cell, shapes.Cell) or cell.final
        row[cell.n - 1] = Shaded(
            heat(cell.rate, most) + ("" if final else " open"),
            f"{count(cell.count)} / {count(size)}",
            f"{cell.rate:.1f}",
        )
    return row


def spark(values: Sequence[float]) -> str:
    """Return the points of a sparkline: x counts them, y falls from ``SPARK_HEIGHT`` for 0 to 0 for the largest value."""
    scale = SPARK_HEIGHT / (max(values, default=0) or 1)
    return " ".join([f"{x},{SPARK_HEIGHT - int(value * scale)}" for x, value in enumerate(values)])


def _data(name: str, rows: Sequence[Any], t: Translate) -> dict[str, Any]:
    """Return what the browser fills a figure with: columns by source, and the words of its axis."""
    chart = BY_NAME[name]
    content = columns(chart, rows, t("so far"))
    words = {f"{name}.words": list(dict.fromkeys(content["x"]))} if chart.x == "word" else {}
    return {"sources": {f"{name}.rows": content}, "words": words}


def _cohort_name(one: shapes.Cohort) -> str:
    return one.day or str(one.open_day)
