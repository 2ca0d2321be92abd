"""A timer bolt declares which days its document of a day looks at, and how it is computed from them. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from analytics.timers.facts import Facts, Kind

TimerPeriod = Literal["day", "week", "month"]
Looks = Mapping[Kind, tuple[int, int]]


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
        looks: per kind of fact, the first and the last day that a document looks at, counted from its own day.
            For documents of a week or month: ``(0, 0)``, which stands for every day of it. ``first_pay``
            needs facts of ``pay`` from the scope's first day on.
        documents: takes facts and the first days of periods, in any order; yields a document for each that can have
            one by now, where a segment divides the accts one for each value. Many periods at once cost far less than one by
            one.
        of_totals: whether there are documents of whole games and plats, too.
        uses_start: whether documents depend on the scope's start.
        numbers: the fields of documents that hold a number; ``added``: those of them that may be added up over
            areas. The others count distinct accts, or follow from such counts.
    """

    name: str
    documents: Callable[[Facts, Iterable[int]], Iterator[Document]]
    looks: Looks
    period: TimerPeriod = "day"
    of_totals: bool = True
    uses_start: bool = False
    numbers: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def affected(self, kind: Kind, day: int) -> Iterator[int]:
        """Yield the first day of every period whose document changes with facts of that kind on ``day``."""
        if kind in self.looks:
            first, last = self.looks[kind]
            yield from self._periods(day - last, day - first)

    def divided_since(self, day: int, last: int) -> Iterator[int]:
        """Yield the first day of every period through ``last`` that divides accts by the values that they have on ``day`` or later.

        A period of one day divides them by the values of that day, a week or month by those of its last day.
        """
        for first in range(first_of(self.period, day), last + 1):
            if first_of(self.period, first) == first:
                yield first

    def aged(self, day: int) -> Iterator[int]:
        """Yield the first day of every period whose document may change because ``day`` has begun or ended.

        Documents of later days are not among them: whatever they look at, their own day begins and ends last.
        """
        last = max([0, *(last for _, last in self.looks.values())])
        yield from self._periods(day - last, day)

    def _periods(self, first: int, last: int) -> Iterator[int]:
        if self.period == "day":
            yield from range(first, last + 1)
        else:
            yield first_of(self.period, first)


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
