"""*Areas*: every game server in a row, with the last month as a line."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from analytics.core.areas import Area
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.place import ONE_DAY, start_of
from analytics.web.shapes import AreaRow, Areas
from analytics.web.shapes.areas import Sort
from analytics.web.views.figures import ADDED, NOTHING, figures_by_area, of_row
from analytics.web.views.numbers import change
from analytics.web.views.starts import openings

SIZE = 50
DAU, REVENUE = ADDED.index("dau"), ADDED.index("revenue")


def view(
    data: Data,
    filters: Filters,
    sort: Sort = "dau",
    descending: bool = True,
    search: str = "",
    page: int = 1,
    size: int = SIZE,
) -> Areas:
    """Return one page of the table. A page beyond the last is the last."""
    look = Look(data, data.place(filters))
    table = Table(look)
    found = table.sorted(sort, descending, search)
    pages = max(1, -(-len(found) // size))
    page = min(page, pages)
    return Areas(
        days=[str(day) for day in look.place.days()],
        rows=list(table.rows(found[(page - 1) * size : page * size])),
        found=len(found),
        page=page,
        pages=pages,
        size=size,
        sort=sort,
        descending=descending,
        search=search,
        scope=look.place.scope(),
        at=look.at,
    )


class Table:
    """All rows of the place."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._opened = openings(look)
        last = look.place.last
        by_day = figures_by_area(look, [last - ONE_DAY, last])
        self._now, self._before = (
            {area: of_row(numbers) for area, numbers in by_day.get(day, ())} for day in (last, last - ONE_DAY)
        )

    def sorted(self, sort: Sort, descending: bool, search: str) -> list[Area]:
        """Return the areas that ``search`` leaves, sorted; those of which nothing is known come last."""
        wanted = search.casefold()
        found = [
            area
            for area in self._look.place.members
            if any(wanted in text.casefold() for text in (area.id, area.plat, area.server_name))
        ]
        found.sort(key=lambda area: area.id)
        known = [area for area in found if self._value(area, sort) is not None]
        known.sort(key=lambda area: self._value(area, sort), reverse=descending)
        return known + [area for area in found if self._value(area, sort) is None]

    def rows(self, areas: Sequence[Area], lines: bool = True) -> Iterator[AreaRow]:
        """Yield the rows of ``areas``, each with its numbers of every day if ``lines``."""
        place = self._look.place
        days, paid = self._points(areas) if lines else (repeat([]), repeat([]))
        for area, dau, revenue in zip(areas, days, paid, strict=False):
            now, before = self._now.get(area.id, NOTHING), self._before.get(area.id, NOTHING)
            opened = self._opened.get(area.id)
            yield AreaRow(
                area.id, area.game, area.plat, area.server_name, area.zone.name, str(opened) if opened else None,
                self._open_day(area), now.dau, before.dau, change(now.dau, before.dau), now.reg, now.payers,
                now.revenue, now.arppu, start_of(area.zone, place.last + ONE_DAY) <= place.now,
                dau, revenue,
            )  # fmt: skip

    def _points(self, areas: Sequence[Area]) -> tuple[list[list[int]], list[list[float]]]:
        """Return ``dau`` and ``revenue`` of every day, a list for each area; 0 where an area has none."""
        by_day, ids = figures_by_area(self._look), [area.id for area in areas]
        points = np.zeros((2, len(ids), len(self._look.place.days())))
        for n, day in enumerate(self._look.place.days()):
            if day in by_day:
                points[:, :, n] = by_day[day].columns(ids, [DAU, REVENUE]).T
        dau: list[list[int]] = points[0].astype(np.int64).tolist()
        cents = np.round(points[1], 2)  # like money(), for all at once
        return dau, [[int(one) if one.is_integer() else one for one in of] for of in cents.tolist()]

    def _value(self, area: Area, sort: Sort) -> Any:
        if sort in ("area", "plat"):
            return area.id if sort == "area" else area.plat
        if sort == "opened":
            return self._opened.get(area.id)
        return self._open_day(area) if sort == "open_day" else getattr(self._now.get(area.id, NOTHING), sort)

    def _open_day(self, area: Area) -> int | None:
        opened = self._opened.get(area.id)
        return (self._look.place.last - opened).days if opened else None


def every_row(look: Look, sort: Sort = "dau", descending: bool = True, search: str = "") -> Iterator[AreaRow]:
    """Yield the rows of all areas that ``search`` leaves, without the numbers of every day."""
    table = Table(look)
    yield from table.rows(table.sorted(sort, descending, search), lines=False)
