"""A timer bolt is a declaration: which days its document of a day looks at, and what it says of them. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from analytics.timers.facts import Facts, Kind

TimerPeriod = Literal["day", "week", "month"]
Looks = Mapping[Kind, tuple[int, int]]


@dataclass(frozen=True)
class Timer:
    """Computes the documents of the collection ``name``, one for each scope and period.

    Attributes:
        looks: per kind of fact, the first and the last day that a document looks at, counted from its own day.
            For documents of a week or month: ``(0, 0)``, which stands for every day of it.
        document: takes facts and the period's first day; returns the document's fields besides its key, or None
            where there is nothing to say. It carries ``final``.
        of_games: whether there are documents of whole games, too.
        uses_start: whether documents depend on the scope's start.
    """

    name: str
    document: Callable[[Facts, int], dict[str, Any] | None]
    looks: Looks
    period: TimerPeriod = "day"
    of_games: bool = True
    uses_start: bool = False

    def affected(self, kind: Kind, day: int) -> Iterator[int]:
        """Yield the first day of every period whose document changes with facts of that kind on ``day``."""
        if kind in self.looks:
            first, last = self.looks[kind]
            yield from self._periods(day - last, day - first)

    def aged(self, day: int) -> Iterator[int]:
        """Yield the first day of every period whose document may change because ``day`` has begun or ended."""
        first = min(0, *(first for first, _ in self.looks.values()))
        last = max(0, *(last for _, last in self.looks.values()))
        yield from self._periods(day - last, day - first)

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
