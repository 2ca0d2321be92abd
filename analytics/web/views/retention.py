"""*Retention*: which part of a day's new accts came back, day by day."""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.core.rates import percent
from analytics.web.area_table import AreaTable
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.shapes import Average, Cell, Cohort, Retention
from analytics.web.shapes.retention import Axis, Of
from analytics.web.views.starts import opening, openings

COLLECTIONS: dict[Of, tuple[str, str]] = {
    "login": ("loginretention", "reg"),
    "payment": ("paytraceday", "pay_user"),
}
LAST = 30
_DAYS = tuple(str(n) for n in range(1, LAST + 1))


Numbers = NDArray[np.float64]


class _Row:
    """Cohorts together: how many they are, and by n, how many came back, and of how many."""

    def __init__(self) -> None:
        self.youngest = date.min
        self.size = 0
        self.counts = np.zeros(LAST)
        self.sizes = np.zeros(LAST)

    def add(self, day: date, cohorts: Numbers) -> None:
        """Add cohorts of a day, each a row as :func:`_numbers` makes it."""
        sizes, counts = cohorts[:, 0], cohorts[:, 1:]
        self.youngest = max(self.youngest, day)
        self.size += int(sizes.sum())
        self.counts += np.nansum(counts, axis=0)
        self.sizes += np.where(np.isnan(counts), 0, sizes[:, None]).sum(axis=0)


def view(data: Data, filters: Filters, of: Of = "login", axis: Axis = "day") -> Retention:
    """Return the page's numbers."""
    look = Look(data, data.place(filters))
    cohorts = list(_by_opening(look, of) if axis == "open_day" else _by_day(look, of))
    return Retention(
        of=of,
        axis=axis,
        cohorts=cohorts,
        average=list(_average(cohorts)),
        scope=look.place.scope(),
        at=look.at,
    )


def _by_day(look: Look, of: Of) -> Iterator[Cohort]:
    """Yield a row for each day of the calendar."""
    opened = opening(look)
    rows = _rows(look, of)
    for day in sorted(rows):
        if rows[day].size:
            yield _cohort(look, rows[day], str(day), (day - opened).days if opened else None)


def _rows(look: Look, of: Of) -> dict[date, _Row]:
    collection, size = COLLECTIONS[of]
    if look.place.basis == "sum":
        cohorts = {day: table.numbers for day, table in _tables(look, of).items()}
    else:
        found = look.own(collection, [size, "retention"])
        cohorts = {day: np.array([_numbers(document, size)]) for day, document in found.items()}
    rows = {day: _Row() for day in cohorts}
    for day, row in rows.items():
        row.add(day, cohorts[day])
    return rows


def _tables(look: Look, of: Of) -> dict[date, AreaTable]:
    collection, size = COLLECTIONS[of]
    return look.tables(collection, [size, "retention"], lambda document: _numbers(document, size))


def _numbers(document: dict[str, Any], size: str) -> list[float]:
    """Return a cohort's size, and who of it came back on the 1st to the 30th day after; NaN where that has not begun."""
    cells = document["retention"]
    return [document[size], *(cells[n]["count"] if n in cells else math.nan for n in _DAYS)]


def _by_opening(look: Look, of: Of) -> Iterator[Cohort]:
    """Yield a row for each day since the opening: of the area or game, or of each of several areas."""
    rows: dict[int, _Row] = {}
    if look.place.basis == "sum":
        opened = openings(look)
        cohorts: dict[int, list[Numbers]] = {}
        youngest: dict[int, date] = {}
        for day, table in sorted(_tables(look, of).items()):
            for area, numbers in table:
                if start := opened.get(area):
                    open_day = (day - start).days
                    cohorts.setdefault(open_day, []).append(numbers)
                    youngest[open_day] = day
        for open_day, of_areas in cohorts.items():
            rows[open_day] = _Row()
            rows[open_day].add(youngest[open_day], np.array(of_areas))
    elif opened_on := opening(look):
        rows = {(day - opened_on).days: row for day, row in _rows(look, of).items()}
    for open_day in sorted(rows):
        if rows[open_day].size:
            yield _cohort(look, rows[open_day], None, open_day)


def _cohort(look: Look, row: _Row, day: str | None, open_day: int | None) -> Cohort:

    def ended(n: int) -> bool:
        return look.place.ended(row.youngest + timedelta(days=n))

    cells = [
        Cell(n, int(count), int(of), percent(int(count), int(of)), ended(n))
        for n, (count, of) in enumerate(zip(row.counts, row.sizes, strict=True), start=1)
        if of
    ]
    return Cohort(day, open_day, row.size, cells, ended(LAST))


def _average(cohorts: list[Cohort]) -> Iterator[Average]:
    """Yield, for each n, all cohorts whose n-th day has ended, weighted by their size."""
    for n in range(1, LAST + 1):
        cells = [cell for cohort in cohorts for cell in cohort.cells if cell.n == n and cell.final]
        if size := sum(cell.size for cell in cells):
            count = sum(cell.count for cell in cells)
            yield Average(n, count, size, percent(count, size))
