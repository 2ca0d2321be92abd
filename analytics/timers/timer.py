"""A timer bolt declares which days its document of a day looks at, and how it is computed from them. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Literal

from analytics.timers.facts import Facts, Kind, Stored

TimerPeriod = Literal["day", "week", "month"]
Looks = Mapping[Kind, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Document:
    """A timer bolt's document of one period of a scope.

    Attributes:
        first: the period's first day.
        fields: the document's fields besides its key. They carry ``final``: whether the period and every day
            that the document looks at has ended.
        empty: whether this is no reason to create a document. An existing one is written anyway.
        part: the place of the value whose accts it counts, where a segment divides them.
    """

    first: int
    fields: dict[str, Any]
    empty: bool
    part: int = 0


@dataclass(frozen=True)
class Timer:
    """Computes the documents of the collection ``name``, one for each scope and period.

    Attributes:
        looks: per kind of fact, the days that a document looks at, ascending, counted from its own day, or from each
            day of its week or month. ``first_pay`` needs facts of ``pay`` from the scope's first day on.
        documents: takes facts and the first days of periods, in any order; yields a document for each that can have
            one by now, where a segment divides the accts one for each value. Many periods at once cost far less than one by
            one.
        of_segments: whether there are documents of the values of segments, too.
        login_periods: of how many weeks or months after its own a document looks at the logins, each taken as a whole; 0:
            it looks at those of single days.
        cohort: "signup" or "pay" where a document is about the accts that signed up, or first paid, in its period: without any
            of them it says the same, whatever others do.
        uses_start: whether documents depend on the scope's start.
        numbers: the fields of documents that hold a number; ``added``: those of them that may be added up over
            areas. The others count distinct accts, or follow from such counts.
    """

    name: str
    documents: Callable[[Facts, Iterable[int]], Iterator[Document]]
    looks: Looks
    period: TimerPeriod = "day"
    of_segments: bool = True
    login_periods: int = 0
    cohort: Stored | None = None
    uses_start: bool = False
    numbers: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def affected(self, kind: Kind, day: int) -> Iterator[int]:
        """Yield the first day of every period whose document changes with facts of that kind on ``day``."""
        yield from self._periods(day - after for after in self.looks.get(kind, ()))

    def days_from(self, first: int) -> range:
        """Return the days of the period that begins on ``first``."""
        return range(first, last_of(self.period, first) + 1)

    def looked_at(self, kind: Kind, first: int) -> Iterable[int]:
        """Return the days that the document of the period that begins on ``first`` looks at, some of them several times."""
        days, last = self.looks[kind], last_of(self.period, first)
        if isinstance(days, range):  # most are, and this is far quicker
            return range(first + days[0], last + days[-1] + 1)
        return (day + after for day in range(first, last + 1) for after in days)

    def divided_since(self, day: int, last: int) -> Iterator[int]:
        """Yield the first day of every period through ``last`` that divides accts by the values that they have on ``day`` or later.

        A period of one day divides them by the values of that day, a week or month by those of its last day.
        """
        for first in range(first_of(self.period, day), last + 1):
            if first_of(self.period, first) == first:
                yield first

    def periods_looked_at(self, first: int) -> Iterator[tuple[int, int]]:
        """Yield the first and the last day of each period whose logins the document looks at as a whole."""
        for _ in range(self.login_periods):
            first = last_of(self.period, first) + 1
            yield first, last_of(self.period, first)

    def aged(self, day: int) -> Iterator[int]:
        """Yield the first day of every period whose document may change because ``day`` has begun or ended.

        Documents of later days are not among them: whatever they look at, their own day begins and ends last.
        """
        ahead = {after for days in self.looks.values() for after in days if after >= 0}
        yield from self._periods(day - after for after in {0, *ahead})

    def _periods(self, days: Iterable[int]) -> Iterable[int]:
        """Return the first day of each period that any of ``days`` lies in."""
        return days if self.period == "day" else {first_of(self.period, day) for day in days}


@lru_cache(10_000)
def first_of(period: TimerPeriod, day: int) -> int:
    """Return the first day of the period that ``day`` lies in."""
    if period == "week":
        return day - date.fromordinal(day).weekday()
    return date.fromordinal(day).replace(day=1).toordinal() if period == "month" else day


def last_of(period: TimerPeriod, first: int) -> int:
    """Return the last day of the period that begins on ``first``."""
    if period == "week":
        return first + 6
    if period == "month":
        return first_of("month", first + 31) - 1
    return first


def runs(days: Iterable[int], length: int) -> Iterator[list[int]]:
    """Yield ``days`` in order, each once, in lists whose last day is less than ``length`` days after the first."""
    run: list[int] = []
    for day in sorted(set(days)):
        if run and day - run[0] >= length:
            yield run
            run = []
        run.append(day)
    if run:
        yield run
