"""*Retention*: which part of a day's new accts came back, day by day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from analytics.core.rates import percent
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


@dataclass
class _Row:
    """Cohorts together: by n, how many came back, and of how many."""

    days: list[date] = field(default_factory=list)
    size: int = 0
    back: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, day: date, size: int, counts: Iterable[tuple[int, int]]) -> None:
        """Add a cohort and who of it came back on which day after."""
        if day not in self.days:
            self.days.append(day)
        self.size += size
        for n, count in counts:
            counted, of = self.back.get(n, (0, 0))
            self.back[n] = counted + count, of + size


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
    fields = [size, "retention"]
    if look.place.basis == "sum":

        def add(so_far: _Row | None, document: dict[str, Any], day: date) -> _Row:
            return _with(so_far, document, size, day)

        found: dict[date, _Row] = look.folded(collection, fields, add)
        return found
    return {day: _with(None, document, size, day) for day, document in look.own(collection, fields).items()}


def _by_opening(look: Look, of: Of) -> Iterator[Cohort]:
    """Yield a row for each day since the opening: of the area or game, or of each of several areas."""
    rows: dict[int, _Row] = {}
    if look.place.basis == "sum":
        for by_open_day in _folded_by_opening(look, of).values():
            for open_day, row in by_open_day.items():
                _merge(rows.setdefault(open_day, _Row()), row)
    elif opened := opening(look):
        rows = {(day - opened).days: row for day, row in _rows(look, of).items()}
    for open_day in sorted(rows):
        if rows[open_day].size:
            yield _cohort(look, rows[open_day], None, open_day)


def _folded_by_opening(look: Look, of: Of) -> dict[date, dict[int, _Row]]:
    collection, size = COLLECTIONS[of]
    opened = openings(look)

    def add(so_far: dict[int, _Row] | None, document: dict[str, Any], day: date) -> dict[int, _Row]:
        found = {} if so_far is None else so_far
        if start := opened.get(document["area"]):
            open_day = (day - start).days
            found[open_day] = _with(found.get(open_day), document, size, day)
        return found

    folded: dict[date, dict[int, _Row]] = look.folded(collection, [size, "retention"], add, name="open_day")
    return folded


def _with(so_far: _Row | None, document: dict[str, Any], size: str, day: date) -> _Row:
    row = _Row() if so_far is None else so_far
    row.add(day, document[size], ((int(n), cell["count"]) for n, cell in document["retention"].items()))
    return row


def _merge(into: _Row, row: _Row) -> None:
    into.days += [day for day in row.days if day not in into.days]
    into.size += row.size
    for n, (count, of) in row.back.items():
        counted, size = into.back.get(n, (0, 0))
        into.back[n] = counted + count, size + of


def _cohort(look: Look, row: _Row, day: str | None, open_day: int | None) -> Cohort:
    youngest = max(row.days)

    def ended(n: int) -> bool:
        return look.place.ended(youngest + timedelta(days=n))

    cells = [Cell(n, count, of, percent(count, of), ended(n)) for n, (count, of) in sorted(row.back.items())]
    return Cohort(day, open_day, row.size, cells, ended(LAST))


def _average(cohorts: list[Cohort]) -> Iterator[Average]:
    """Yield, for each n, all cohorts whose n-th day has ended, weighted by their size."""
    for n in range(1, LAST + 1):
        cells = [cell for cohort in cohorts for cell in cohort.cells if cell.n == n and cell.final]
        if size := sum(cell.size for cell in cells):
            count = sum(cell.count for cell in cells)
            yield Average(n, count, size, percent(count, size))
