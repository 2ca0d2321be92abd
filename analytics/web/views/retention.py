"""*Retention*: which part of a day's new accts came back, day by day."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
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
        self.add_sums(day, _summable(cohorts).sum(axis=0))

    def add_sums(self, day: date, sums: Numbers) -> None:
        """Add the sum of rows that :func:`_summable` made of cohorts, the youngest of ``day``."""
        self.youngest = max(self.youngest, day)
        self.size += int(sums[0])
        self.counts += sums[1 : 1 + LAST]
        self.sizes += sums[1 + LAST :]


def _summable(cohorts: Numbers) -> Numbers:
    """Return rows of which sums make sense: a cohort's size; by n, how many came back; by n, of how many."""
    sizes, counts = cohorts[:, :1], cohorts[:, 1:]
    begun = ~np.isnan(counts)
    return np.hstack([sizes, np.where(begun, counts, 0), begun * sizes])


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
        rows = _rows_by_opening(_tables(look, of), openings(look))
    elif opened_on := opening(look):
        rows = {(day - opened_on).days: row for day, row in _rows(look, of).items()}
    for open_day in sorted(rows):
        if rows[open_day].size:
            yield _cohort(look, rows[open_day], None, open_day)


def _rows_by_opening(tables: Mapping[date, AreaTable], opened: Mapping[str, date]) -> dict[int, _Row]:
    """Return by open day the cohorts of all areas together.

    Nearly every area may have an open day of its own on each day, so all of a day are added to all rows at once.
    """
    starts = {area: day.toordinal() for area, day in opened.items()}
    if not tables or not starts:
        return {}
    lowest = min(tables).toordinal() - max(starts.values())
    span = 1 + max(tables).toordinal() - min(starts.values()) - lowest
    sums, youngest = np.zeros((span, 1 + 2 * LAST)), np.zeros(span, np.int64)
    for day, table in sorted(tables.items()):
        known = [n for n, area in enumerate(table.areas) if area in starts]
        rows = day.toordinal() - lowest - np.array([starts[table.areas[n]] for n in known], np.int64)
        order = np.argsort(rows, kind="stable")
        found, begins = np.unique(rows[order], return_index=True)
        if len(found):
            sums[found] += np.add.reduceat(_summable(table.numbers[known])[order], begins)
            youngest[found] = day.toordinal()
    result = {int(n) + lowest: _Row() for n in np.flatnonzero(youngest)}
    for open_day, row in result.items():
        row.add_sums(date.fromordinal(int(youngest[open_day - lowest])), sums[open_day - lowest])
    return result


def _cohort(look: Look, row: _Row, day: str | None, open_day: int | None) -> Cohort:

    def goes_on(n: int) -> bool:
        return not look.place.ended(row.youngest + timedelta(days=n))

    ended = bisect_left(range(LAST + 1), True, key=goes_on)
    cells = [
        Cell(n, int(count), int(of), percent(int(count), int(of)), n < ended)
        for n, (count, of) in enumerate(zip(row.counts.tolist(), row.sizes.tolist(), strict=True), start=1)
        if of
    ]
    return Cohort(day, open_day, row.size, cells, ended > LAST)


def _average(cohorts: list[Cohort]) -> Iterator[Average]:
    """Yield, for each n, all cohorts whose n-th day has ended, weighted by their size."""
    counts, sizes = [0] * (LAST + 1), [0] * (LAST + 1)
    for cohort in cohorts:
        for cell in cohort.cells:
            if cell.final:
                counts[cell.n] += cell.count
                sizes[cell.n] += cell.size
    for n, size in enumerate(sizes):
        if size:
            yield Average(n, counts[n], size, percent(counts[n], size))
