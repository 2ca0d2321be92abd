"""*Areas*: every game server in a row, with the last month as a line."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import repeat
from typing import Annotated, Any, Literal, get_args

import msgspec
import numpy as np
from markupsafe import Markup, escape
from msgspec import Meta
from numpy.typing import NDArray

from analytics.core.areas import Area
from analytics.store.store import AREAS as AREAS_TOTAL
from analytics.web.answers import Change, Date, Final, Money, PageAnswer, PerHead, filled, labelled, means
from analytics.web.csvs import Row, structs
from analytics.web.data import Data
from analytics.web.display import changed
from analytics.web.filters import MOST_DAYS, Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage
from analytics.web.place import ONE_DAY, start_of
from analytics.web.reading.arithmetic import change
from analytics.web.reading.figures import ADDED, NOTHING, of_row
from analytics.web.reading.starts import openings
from analytics.web.tables import Table
from analytics.web.translation import Translate

Sort = Literal["area", "plat", "opened", "open_day", "dau", "reg", "payers", "revenue", "arppu"]


class AreasOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the table is sorted, searched and divided into pages."""

    sort: Annotated[Sort, means("the column to sort by")] = "dau"
    order: Annotated[Literal["asc", "desc"], means("asc: the least first; desc: the most first")] = "desc"
    search: Annotated[str, means("only areas whose id, plat or server name contains this")] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000, description="the page of the table, from 1")] = 1
    size: Annotated[int, Meta(ge=1, le=1000, description="rows a page, up to 1000")] = 50


class AreaRow(msgspec.Struct, frozen=True, kw_only=True):
    """One area. Its numbers are of the last day of the scope; its sparklines have every day of the scope, in order.

    Days are those of the area's own time zone.
    """

    area: str
    game: str
    plat: Annotated[str, labelled("Plat")]
    server_name: Annotated[str, means("The area's name, or the one that it has in its logs; empty if the configuration gives neither.", "Area")]  # fmt: skip
    timezone: str
    opened: Annotated[Date | None, means("The day of the area's earliest record; nothing if it has none.", "Opened")]  # fmt: skip
    open_day: Annotated[
        int | None,
        means(
            "How many days ago the area opened, 0 on its first day; nothing if it has not opened.", "Open day"
        ),
    ]
    dau: Annotated[int, means("The accts that logged in on the last day shown.", "DAU")]
    dau_before: Annotated[int, means("accts that logged in on the day before")]
    change: Annotated[
        Change | None,
        means(
            "By how many percent the last day's active accts exceed those of the day before. Nothing while the day goes on, or if those were 0.",
            "Change",
        ),
    ]
    reg: Annotated[int, means("The accts that signed up on the last day shown.", "Sign-ups")]
    payers: Annotated[int, means("The accts that paid on the last day shown.", "Payers")]
    revenue: Annotated[Money, means("All money that was paid on the day, less refunds.", "Revenue")]
    arppu: Annotated[PerHead, means("The day's revenue divided by its payers.", "ARPPU")]
    final: Final
    dau_days: Annotated[list[int], means("The accts that logged in, for each day shown.")]
    revenue_days: Annotated[list[Money], means("The money that was paid less refunds, for each day shown.")]


class AreasAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *areas*: one page of the table. The CSV has all areas."""

    days: Annotated[list[str], means("the days of the sparklines, YYYY-MM-DD")]
    rows: list[AreaRow]
    found: Annotated[int, means("areas that the search and the filter leave")]
    page: Annotated[int, means("this page, from 1")]
    pages: Annotated[int, means("how many pages there are, at least 1")]
    size: Annotated[int, means("rows a page")]
    sort: Annotated[Sort, means("the column by which rows are sorted")]
    descending: bool
    search: Annotated[str, means("rows whose area, plat or server name contains this")]


SPARK_HEIGHT = 50
"""Twice its pixels, whole numbers: a page may have 180,000 points, and short ones are written and packed sooner."""


POINTS = np.array(
    [[f"{x},{SPARK_HEIGHT - n}" for n in range(SPARK_HEIGHT + 1)] for x in range(MOST_DAYS)], object
)
"""The points of sparklines, by day and height."""


def view(data: Data, filters: Filters, options: AreasOptions = AreasOptions()) -> AreasAnswer:
    """Return one page of the table. A page beyond the last is the last."""
    look = Look(data, data.place(filters))
    rows = AreaRows(look)
    found = rows.sorted(options)
    pages = max(1, -(-len(found) // options.size))
    page = min(options.page, pages)
    return filled(
        AreasAnswer,
        options,
        days=[str(day) for day in look.place.days()],
        rows=list(rows.of(found[(page - 1) * options.size : page * options.size])),
        found=len(found),
        page=page,
        pages=pages,
        descending=options.order == "desc",
        scope=look.place.scope(),
        at=look.at,
    )


class AreaColumns:
    """The figures of every area of the game, day by day: a document of ``areas_total`` each."""

    def __init__(self, look: Look, first: date, last: date, fields: Sequence[str]) -> None:
        self._fields = fields
        self._listed: list[str] = []
        self._places = np.zeros(0, np.int64)
        self._days = look.of_all_areas(AREAS_TOTAL, ["areas", *fields], first, last)

    def rows(self, day: date) -> Iterator[tuple[str, tuple[float, ...]]]:
        """Yield each area's id and figures."""
        if found := self._days.get(day):
            yield from zip(
                found["areas"], zip(*(found[name] for name in self._fields), strict=True), strict=True
            )

    def of(self, areas: Sequence[str], day: date) -> NDArray[np.float64]:
        """Return the figures of ``areas``, a row for each field; 0 where an area has none."""
        result = np.zeros((len(self._fields), len(areas)))
        if (found := self._days.get(day)) is None:
            return result
        listed = found["areas"]
        if listed != self._listed:
            at = {area: n for n, area in enumerate(listed)}
            self._listed, places = listed, [at.get(area, -1) for area in areas]
            self._places = np.array(places, np.int64)
        known = self._places >= 0
        for row, name in enumerate(self._fields):
            result[row, known] = np.array(found[name], np.float64)[self._places[known]]
        return result


class AreaRows:
    """All rows of the place."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._opened = openings(look)
        last = look.place.last
        columns = AreaColumns(look, last - ONE_DAY, last, ADDED)
        self._now, self._before = (
            {area: of_row(row) for area, row in columns.rows(day)} for day in (last, last - ONE_DAY)
        )

    def sorted(self, options: AreasOptions) -> list[Area]:
        """Return the areas that the search leaves, sorted; those of which nothing is known come last."""
        wanted, sort = options.search.casefold(), options.sort
        found = [
            area
            for area in self._look.place.members
            if any(wanted in text.casefold() for text in (area.id, area.plat, area.name))
        ]
        found.sort(key=lambda area: area.id)
        known = [area for area in found if self._value(area, sort) is not None]
        known.sort(key=lambda area: self._value(area, sort), reverse=options.order == "desc")
        return known + [area for area in found if self._value(area, sort) is None]

    def of(self, areas: Sequence[Area], lines: bool = True) -> Iterator[AreaRow]:
        """Yield the rows of ``areas``, each with its numbers of every day if ``lines``."""
        place = self._look.place
        days, paid = self._points(areas) if lines else (repeat([]), repeat([]))
        for area, dau, revenue in zip(areas, days, paid, strict=False):
            now, before = self._now.get(area.id, NOTHING), self._before.get(area.id, NOTHING)
            opened = self._opened.get(area.id)
            final = start_of(area.zone, place.last + ONE_DAY) <= place.now
            yield filled(
                AreaRow,
                now,
                area=area.id,
                game=area.game,
                plat=area.plat,
                server_name=area.name,
                timezone=area.zone.name,
                opened=str(opened) if opened else None,
                open_day=self._open_day(area),
                dau_before=before.dau,
                change=change(now.dau, before.dau) if final else None,
                final=final,
                dau_days=dau,
                revenue_days=revenue,
            )

    def _points(self, areas: Sequence[Area]) -> tuple[list[list[int]], list[list[float]]]:
        """Return ``dau`` and ``revenue`` of every day, a list for each area; 0 where an area has none."""
        place, ids = self._look.place, [area.id for area in areas]
        columns = AreaColumns(self._look, place.first, place.last, ("dau", "revenue"))
        points = np.zeros((2, len(ids), len(place.days())))
        for n, day in enumerate(place.days()):
            points[:, :, n] = columns.of(ids, day)
        dau: list[list[int]] = points[0].astype(np.int64).tolist()
        whole = points[1] == np.trunc(points[1])
        revenue = points[1].astype(object)
        revenue[whole] = points[1][whole].astype(np.int64)
        paid: list[list[float]] = revenue.tolist()
        return dau, paid

    def _value(self, area: Area, sort: Sort) -> Any:
        if sort in ("area", "plat"):
            return area.id if sort == "area" else area.plat
        if sort == "opened":
            return self._opened.get(area.id)
        return self._open_day(area) if sort == "open_day" else getattr(self._now.get(area.id, NOTHING), sort)

    def _open_day(self, area: Area) -> int | None:
        opened = self._opened.get(area.id)
        return (self._look.place.last - opened).days if opened else None


def every_row(data: Data, filters: Filters, options: AreasOptions) -> Iterator[Row]:
    """Yield the CSV of all areas that the search leaves, without the numbers of every day."""
    rows = AreaRows(Look(data, data.place(filters)))
    return structs(AreaRow, rows.of(rows.sorted(options), lines=False), ("dau_days", "revenue_days"))


def _context(answer: AreasAnswer, t: Translate) -> dict[str, Any]:
    """Return what writes the rows' cells, and which columns areas can be sorted by."""
    return {"with_cells": partial(with_cells, answer), "sortable": get_args(Sort)}


def with_cells(answer: AreasAnswer, shown: Callable[[Any, str], str]) -> Iterator[tuple[AreaRow, Markup]]:
    """Yield each row with its cells but for the first and the last, sparklines behind their columns.

    A page may have 10,000 cells: the template would take four times as long.

    Args:
        shown: writes a value of a kind.
    """
    box = f"0 0 {max(1, len(answer.days) - 1)} {SPARK_HEIGHT}"
    lines = {field: iter(sparklines(answer.rows, days)) for field, (_, days) in SPARKS.items()}
    for row in answer.rows:
        parts: list[str] = []
        for column, opening in CELLS:
            value = getattr(row, column.field)
            text = changed(value) if column.kind == "change" else shown(value, column.kind)
            parts += (opening, escape(text) if column.is_text else text, "</td>")
            if column.field in SPARKS:
                parts.append(
                    f'<td class="text"><svg class="{SPARKS[column.field][0]}" viewBox="{box}" preserveAspectRatio="none" '
                    f'aria-hidden="true"><polyline points="{next(lines[column.field])}"/></svg></td>'
                )
        yield row, Markup("".join(parts))


def sparklines(rows: Sequence[AreaRow], days: str) -> list[str]:
    """Return the points of each row's sparkline of the field ``days``: x counts, y falls from ``SPARK_HEIGHT`` for 0 to 0 for the largest."""
    values = np.array([getattr(row, days) for row in rows], np.float64)
    most = values.max(axis=1, initial=0)
    most[most == 0] = 1
    heights = (values * (SPARK_HEIGHT / most)[:, np.newaxis]).astype(np.intp)
    return [" ".join(points) for points in POINTS[np.arange(values.shape[1]), heights].tolist()]


AREAS = Table("areas", "Areas", AreaRow, "server_name plat opened open_day dau change reg payers revenue arppu")  # fmt: skip
SPARKS = {"dau": ("spark", "dau_days"), "revenue": ("spark second", "revenue_days")}
"""The columns with a sparkline behind them: its class, and the field with its values."""

CELLS = [
    (
        column,
        f'<td class="text" data-field="{column.field}">'
        if column.is_text
        else f'<td data-field="{column.field}">',
    )
    for column in AREAS.columns[1:]
]
"""The columns of ``with_cells``, and the beginning of their cells."""


PAGE = DashboardPage(
    name="areas",
    title="Areas",
    answer=AreasAnswer,
    view=view,
    icon="M2 3h12v4H2zM2 9h12v4H2zM4.5 5h.01M4.5 11h.01",
    options=AreasOptions,
    tables=(AREAS,),
    csvs={"areas": every_row},
    template="areas.html",
    context=_context,
)
