"""*Retention*: which part of a day's new accts came back, day by day, and how the active accts change."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from analytics.core.rates import percent
from analytics.timers.cohorts import LATER, MONTHS, WEEKS
from analytics.timers.timer import TimerPeriod, first_of, last_of
from analytics.web.answers import Date, Final, PageAnswer, Percent, RowName, definition, means
from analytics.web.charts import Chart, Curve, Series
from analytics.web.csvs import Row
from analytics.web.data import Data
from analytics.web.display import count
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel
from analytics.web.reading.curves import together
from analytics.web.reading.starts import opening, openings
from analytics.web.tables import Table
from analytics.web.translation import Translate

Of = Literal["login", "payment"]
Axis = Literal["day", "open_day"]
By = Literal["day", "rolling", "later", "week", "month"]


class RetentionOptions(msgspec.Struct, frozen=True):
    """Which cohorts are looked at, and how they are put into rows."""

    of: Annotated[Of, means("whose return: who signed up, or who paid")] = "login"
    axis: Annotated[Axis, means("what rows are: days of the calendar, or days since the opening")] = "day"
    by: Annotated[
        By,
        means(
            "what columns are: exactly the 1st to 30th day after; that day or a later one up to the 30th; the 45th, 60th and "
            "90th; of the cohorts of a week or month, the weeks or months after"
        ),
    ] = "day"


class Cell(msgspec.Struct, frozen=True):
    """One cohort on one day, week or month after its own."""

    n: Annotated[int, means("How many days, weeks or months after the cohort's own.")]
    count: Annotated[int, means("accts: those of the cohort that came back then")]
    size: Annotated[
        int,
        means(
            "accts: of how many. The size of the cohort; where a row is of several areas' days, only those are "
            "in it whose n-th day has begun"
        ),
    ]
    rate: Annotated[Percent, means("The share of the cohort that came back then.")]
    final: Annotated[bool, means("whether that time has ended; until then the number still grows")]


class Cohort(msgspec.Struct, frozen=True):
    """A row of the triangle: the accts of one day, or of one day since the opening."""

    day: Annotated[Date | None, means("the day of sign-up or first payment, the first one of a week or month; null where `open_day` names the row")]  # fmt: skip
    open_day: Annotated[int | None, means("days since the area, plat or game opened, 0 on its first; null: unknown")]  # fmt: skip
    size: Annotated[int, means("The accts that signed up, or first paid, on the day or in the period.")]
    cells: Annotated[list[Cell], means("the days after that have begun, in order")]
    final: Final


class Average(msgspec.Struct, frozen=True):
    """A cell of the last row: all cohorts whose n-th day has ended, weighted by their size."""

    n: Annotated[RowName, means("How many days, weeks or months after the cohort's own.", "n")]
    count: Annotated[int, means("The accts of all these cohorts that came back then.", "Came back")]
    size: Annotated[int, means("The accts of all these cohorts together.", "Accts")]
    rate: Annotated[Percent, means("The share of the cohort that came back then.", "Rate")]


class LifecycleDay(msgspec.Struct, frozen=True, kw_only=True):
    """How the active accts have changed since the day before. ``active`` = ``before`` + ``new`` + ``returned`` - ``lost``."""

    day: Date
    active: Annotated[int, means("The accts that logged in on the day or the days before it that absence takes, usually 7 in all.", "Active")]  # fmt: skip
    before: Annotated[int, means("The active accts of the day before.", "Day before")]
    new: Annotated[int, means("Accts that became active on the day and had just signed up.", "New")]
    retained: Annotated[int, means("Accts that were active on the day before and still are.", "Retained")]
    returned: Annotated[int, means("Accts that logged in again after an absence.", "Returned")]
    lost: Annotated[int, means("Accts that have been absent too long since their last login.", "Lost")]
    final: Final


class RetentionAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *retention*. ``cohorts`` has a row for each day of the scope that has a cohort."""

    of: Annotated[
        Of,
        means(
            '"login": of who signed up on a day, who logged in on the n-th day after. "payment": of who '
            "first paid on a day, who paid on the n-th day after"
        ),
    ]
    axis: Annotated[Axis, means('what rows are: "day", days of the calendar; "open_day", days since the opening')]  # fmt: skip
    by: Annotated[By, means("what the numbers n are; see the parameter")]
    cohorts: list[Cohort]
    average: Annotated[list[Average], means("by n; only n with a cohort whose n-th day has ended")]
    lifecycle: Annotated[list[LifecycleDay], means("every day of the scope; see docs/metrics.md")]


COLLECTIONS: dict[Of, tuple[str, str]] = {
    "login": ("loginretention", "reg"),
    "payment": ("paytraceday", "pay_user"),
}


class CohortColumns(NamedTuple):
    """Where the numbers of ``by`` come from: the documents' collections, their n, of which period they are, the field of a cell."""

    collections: Mapping[Of, tuple[str, str]]
    ns: Sequence[int]
    period: TimerPeriod = "day"
    field: str = "count"

    def end(self, day: date, n: int) -> date:
        """Return when the n-th day, week or month after that of ``day`` ends. Rolling numbers end with the last n."""
        if self.period == "day":
            return day + timedelta(days=self.ns[-1] if self.field == "rolling" else n)
        last = first_of(self.period, day.toordinal()) - 1
        for _ in range(n + 1):
            last = last_of(self.period, last + 1)
        return date.fromordinal(last)


def _after(ending: str) -> dict[Of, tuple[str, str]]:
    return {"login": (f"login{ending}", "reg"), "payment": (f"pay{ending}", "pay_user")}


COLUMNS: dict[By, CohortColumns] = {
    "day": CohortColumns(COLLECTIONS, range(1, 31)),
    "rolling": CohortColumns(COLLECTIONS, range(1, 31), field="rolling"),
    "later": CohortColumns(_after("long"), LATER),
    "week": CohortColumns(_after("week"), range(1, WEEKS + 1), "week"),
    "month": CohortColumns(_after("month"), range(1, MONTHS + 1), "month"),
}

MOST_HEAT = 10
"""Shades of a cell, as the style sheet has them."""

LEAST_DAYS = 7
"""Columns of the table while all cohorts are younger."""

Numbers = NDArray[np.float64]


class _Row:
    """Cohorts together: how many they are, and by n, how many came back, and of how many."""

    def __init__(self, columns: int) -> None:
        self.youngest = date.min
        self.size = 0
        self.counts = np.zeros(columns)
        self.sizes = np.zeros(columns)

    def add(self, day: date, cohort: Numbers) -> None:
        """Add a cohort of a day, as :func:`_numbers` gives it."""
        begun = ~np.isnan(cohort[1:])
        self.youngest = max(self.youngest, day)
        self.size += int(cohort[0])
        self.counts += np.where(begun, cohort[1:], 0)
        self.sizes += begun * cohort[0]


def view(data: Data, filters: Filters, options: RetentionOptions = RetentionOptions()) -> RetentionAnswer:
    look = Look(data, data.place(filters))
    columns = COLUMNS[options.by]
    cohorts = list((_by_opening if options.axis == "open_day" else _by_day)(look, columns, options.of))
    # The last row has only what no longer grows.
    ended = [cell for one in cohorts for cell in one.cells if cell.final]
    return RetentionAnswer(
        of=options.of,
        axis=options.axis,
        by=options.by,
        cohorts=cohorts,
        average=[Average(*one) for one in together(ended)],
        lifecycle=list(_lifecycle(look)),
        scope=look.place.scope(),
        at=look.at,
    )


def _lifecycle(look: Look) -> Iterator[LifecycleDay]:
    fields = [name for name in LifecycleDay.__struct_fields__ if name not in ("day", "final")]
    by_day = look.by_day("lifecycle", fields)
    for day in look.place.days():
        sums = map(int, by_day.get(day, (0,) * len(fields)))
        yield LifecycleDay(day=str(day), final=look.place.ended(day), **dict(zip(fields, sums, strict=True)))


def _by_day(look: Look, columns: CohortColumns, of: Of) -> Iterator[Cohort]:
    """Yield a row for each day of the calendar, or the first day of each week or month."""
    opened = opening(look)
    rows: dict[date, _Row] = defaultdict(lambda: _Row(len(columns.ns)))
    for day, _, cohort in _cohorts(look, columns, of):
        rows[day].add(day, cohort)
    for day in sorted(rows):
        if rows[day].size:
            yield _cohort(look, columns, rows[day], str(day), (day - opened).days if opened else None)


def _cohorts(look: Look, columns: CohortColumns, of: Of) -> Iterator[tuple[date, str, Numbers]]:
    """Yield the cohorts of the place, each with its day and area (of a whole game or plat "")."""
    collection, size = columns.collections[of]
    ns = [str(n) for n in columns.ns]
    # The week or month that the first day lies in counts, too.
    first = date.fromordinal(first_of(columns.period, look.place.first.toordinal()))
    for document, day in look.documents(collection, [size, "retention"], first):
        cells = document["retention"]
        counts = (cells[n].get(columns.field, math.nan) if n in cells else math.nan for n in ns)
        yield day, document.get("area", ""), np.array([document[size], *counts])


def _by_opening(look: Look, columns: CohortColumns, of: Of) -> Iterator[Cohort]:
    """Yield a row for each day since the opening: of the area, plat or game, or of each of several areas."""
    rows: dict[int, _Row] = defaultdict(lambda: _Row(len(columns.ns)))
    opened_on = opening(look)
    opened = openings(look) if look.place.basis == "sum" else {}
    for day, area, cohort in _cohorts(look, columns, of):
        if start := opened.get(area, opened_on):
            rows[(day - start).days].add(day, cohort)
    for open_day in sorted(rows):
        if rows[open_day].size:
            yield _cohort(look, columns, rows[open_day], None, open_day)


def _cohort(look: Look, columns: CohortColumns, row: _Row, day: str | None, open_day: int | None) -> Cohort:

    def goes_on(n: int) -> bool:
        return not look.place.ended(columns.end(row.youngest, n))

    ended = bisect_left(columns.ns, True, key=goes_on)
    cells = [
        Cell(n, int(count), int(of), percent(int(count), int(of)), place < ended)
        for place, (n, count, of) in enumerate(
            zip(columns.ns, row.counts.tolist(), row.sizes.tolist(), strict=True)
        )
        if of
    ]
    return Cohort(day, open_day, row.size, cells, ended == len(columns.ns))


def _triangle(data: Data, filters: Filters, options: RetentionOptions) -> Iterator[Row]:
    cohorts = view(data, filters, options).cohorts
    yield ["day", "open_day", "size", "n", "count", "of", "rate", "final"]
    for one in cohorts:
        for cell in one.cells:
            yield [one.day, one.open_day, one.size, *astuple(cell)]


def heat(rate: float, most: float) -> str:
    """Return how dark a cell is, from "h0" for nothing to "h10" for the most: by the root, so that low ones differ too."""
    return f"h{max(1, round(MOST_HEAT * math.sqrt(rate / most)))}" if rate > 0 and most > 0 else "h0"


class Shaded(NamedTuple):
    """How a cell of the triangle is written: its classes, its title, its text."""

    classes: str
    title: str
    text: str


def shaded(cells: Iterable[tuple[Cell | Average, int]], most: float, ns: list[int]) -> list[Shaded | None]:
    """Return a row with a cell for each of ``ns``; None where it has none. Each comes with its cohort's size."""
    row: list[Shaded | None] = [None] * len(ns)
    for cell, size in cells:
        final = not isinstance(cell, Cell) or cell.final
        row[ns.index(cell.n)] = Shaded(
            heat(cell.rate, most) + ("" if final else " open"),
            f"{count(cell.count)} / {count(size)}",
            f"{cell.rate:.1f}",
        )
    return row


def _context(answer: RetentionAnswer, t: Translate) -> dict[str, Any]:
    """Return the triangle, shaded up to its largest rate."""
    cells = [cell for one in answer.cohorts for cell in one.cells]
    most = max((cell.rate for cell in cells), default=0.0)
    last_n = max((cell.n for cell in cells), default=LEAST_DAYS)
    ns = [n for n in COLUMNS[answer.by].ns if n <= last_n or answer.by not in ("day", "rolling")]
    return {
        "cohorts": [
            (one, shaded([(cell, one.size) for cell in one.cells], most, ns)) for one in answer.cohorts
        ],
        "averages": shaded([(one, one.size) for one in answer.average], most, ns) if answer.average else (),
        "ns": ns,
        "most": most,
        "meanings": {name: definition(kind, name) for kind, name in ((Cohort, "size"), (Cell, "rate"))},
    }


def _curves(answer: RetentionAnswer) -> list[Curve]:
    return [
        (one.day or str(one.open_day), [(cell.n, cell.rate) for cell in one.cells if cell.final])
        for one in answer.cohorts
    ]


AVERAGE = Table("average", "Weighted average", Average, "n rate count size")
COMEBACK = Chart(
    "comeback",
    "Retention curve",
    "n",
    (Series("rate", "Weighted average", 1, "percent"),),
    unit="percent",
    x_title="days, weeks or months after",
    cohorts=_curves,
    rows=lambda answer: answer.average,
)

LIFECYCLE = Table(
    "lifecycle", "Lifecycle", LifecycleDay, "day active before new retained returned lost", has_final=True
)
CHANGES = Chart(
    "changes",
    "New, returned and lost",
    "day",
    (Series("new", "New", 2), Series("returned", "Returned", 1), Series("lost", "Lost", 5)),
    rows=lambda answer: answer.lifecycle,
)

PAGE = DashboardPage(
    name="retention",
    title="Retention",
    answer=RetentionAnswer,
    view=view,
    has_segments=True,
    icon="M2 2v12M2 2h12M6 2v9M2 6h9M10 2v5M2 10h5",
    options=RetentionOptions,
    tables=(AVERAGE, LIFECYCLE),
    panels=(
        Panel(AVERAGE, COMEBACK, note="thin lines are single cohorts"),
        Panel(LIFECYCLE, CHANGES, note="how the active accts have changed since the day before"),
    ),
    csvs={"cohorts": _triangle},
    template="retention.html",
    context=_context,
)
