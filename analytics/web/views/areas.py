"""*Areas*: every game server in a row, with the last month as a line."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from analytics.core.areas import Area
from analytics.store.reading import Query
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.place import ONE_DAY, date_of, start_of
from analytics.web.shapes import AreaRow, Areas
from analytics.web.shapes.areas import Sort
from analytics.web.views.figures import ADDED, NOTHING, Figures, of_document
from analytics.web.views.numbers import change
from analytics.web.views.starts import openings

SIZE = 50
Line = dict[date, tuple[int, float]]
"""By day: who logged in, and what was paid."""


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
    """All rows of the place. Numbers of two days are read for all of them, lines only for those that are shown."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._opened = openings(look)
        last = look.place.last
        by_day = look.folded("kpi", [*ADDED, "open_day"], _add_figures, [last - ONE_DAY, last])
        self._now: dict[str, Figures] = by_day.get(last, {})
        self._before: dict[str, Figures] = by_day.get(last - ONE_DAY, {})

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

    def rows(self, areas: Sequence[Area]) -> Iterator[AreaRow]:
        """Yield the rows of ``areas``, each with its line."""
        place = self._look.place
        days = place.days()
        for area in areas:
            line = self._line(area)
            now, before = self._now.get(area.id, NOTHING), self._before.get(area.id, NOTHING)
            opened = self._opened.get(area.id)
            yield AreaRow(
                area.id, area.game, area.plat, area.server_name, area.zone.name, str(opened) if opened else None,
                self._open_day(area), now.dau, before.dau, change(now.dau, before.dau), now.reg, now.payers,
                now.revenue, now.arppu, start_of(area.zone, place.last + ONE_DAY) <= place.now,
                [line.get(day, (0, 0))[0] for day in days], [line.get(day, (0, 0))[1] for day in days],
            )  # fmt: skip

    def _value(self, area: Area, sort: Sort) -> Any:
        if sort in ("area", "plat"):
            return area.id if sort == "area" else area.plat
        if sort == "opened":
            return self._opened.get(area.id)
        return self._open_day(area) if sort == "open_day" else getattr(self._now.get(area.id, NOTHING), sort)

    def _open_day(self, area: Area) -> int | None:
        opened = self._opened.get(area.id)
        return (self._look.place.last - opened).days if opened else None

    def _line(self, area: Area) -> Line:
        look, place = self._look, self._look.place

        def read(first: date, last: date) -> dict[date, tuple[int, float]]:
            since, until = start_of(area.zone, first), start_of(area.zone, last + ONE_DAY)
            query = Query("kpi", place.game, areas=(area.id,), since=since, until=until)
            found = look.data.reader.find(query, ["ts", "dau", "revenue"])
            return {date_of(area.zone, one["ts"]): (one["dau"], one["revenue"]) for one in found}

        values, at = look.data.kept.get(("line", area.id), place.days(), place.today - ONE_DAY, read)
        look.at = min(look.at, at)
        return values


def _add_figures(so_far: Any, document: dict[str, Any], day: date) -> dict[str, Figures]:
    found: dict[str, Figures] = {} if so_far is None else so_far
    found[document["area"]] = of_document(document)
    return found


def every_row(look: Look, sort: Sort = "dau", descending: bool = True, search: str = "") -> Iterator[AreaRow]:
    """Yield the rows of all areas that ``search`` leaves."""
    table = Table(look)
    yield from table.rows(table.sorted(sort, descending, search))
