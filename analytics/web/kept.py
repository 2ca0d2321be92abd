"""Numbers that were read a moment ago, kept by day, so that a page does not add up a year's documents each time.

How long something is kept follows from what it cost to read: what takes a millisecond is read anew almost each time,
what takes seconds is kept for minutes, the last two days for a shorter time than those before. Who asks for numbers
whose time is over gets them at once, while they are read anew in the background; after much longer than that one
waits. Views say when the oldest of their numbers was read.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from datetime import date
from typing import Any

import gevent
from gevent.lock import RLock

from analytics.errors import AnalyticsError

RECENT_SHARE, OLDER_SHARE = 0.05, 0.005
"""Of the time, how much may go into reading one thing anew."""

RECENT_LEAST, OLDER_LEAST, MOST = 0.2, 2.0, 600.0
STALE = 10
"""After so many times its time a number is not shown any more before it was read anew."""

MOST_ROWS = 1_000_000
log = logging.getLogger(__name__)

Read = Callable[[date, date], dict[date, Any]]


@dataclass(slots=True)
class _Entry:
    value: Any
    rows: int
    at: float
    keep: float
    """How many seconds it counts as fresh."""


class _Series:
    """The days of one key, and who reads them."""

    def __init__(self) -> None:
        self.days: dict[date, _Entry] = {}
        self.lock = RLock()
        self.refreshing = False

    @property
    def rows(self) -> int:
        return sum(entry.rows + 1 for entry in self.days.values())


class Kept:
    """Values by key and day. ``most_rows`` bounds its memory: the keys that nobody has asked for longest go first."""

    def __init__(self, clock: Callable[[], float] = time.time, most_rows: int = MOST_ROWS) -> None:
        self._clock = clock
        self._most_rows = most_rows
        self._series: OrderedDict[Hashable, _Series] = OrderedDict()

    def get(
        self, key: Hashable, days: Sequence[date], recent: date, read: Read
    ) -> tuple[dict[date, Any], float]:
        """Return the value of each of ``days`` that has one, and when the oldest was read.

        Args:
            recent: the first day that may still change by itself.
            read: returns the values of the days from one to another.
        """
        series = self._series.setdefault(key, _Series())
        self._series.move_to_end(key)
        if lacking := self._over(series, days, STALE):
            with series.lock:
                # Somebody else may have read them while we waited.
                self._read(series, self._over(series, lacking, STALE), recent, read)
            self._shrink()
        if (stale := self._over(series, days, 1)) and not series.refreshing:
            series.refreshing = True
            gevent.spawn(self._refresh, series, stale, recent, read)
        entries = {day: series.days[day] for day in days}
        at = min((entry.at for entry in entries.values()), default=self._clock())
        return {day: entry.value for day, entry in entries.items() if entry.value is not None}, at

    def _over(self, series: _Series, days: Iterable[date], times: float) -> list[date]:
        """Return the days that are not there, or were read so many times their time ago."""
        now = self._clock()
        return [
            day
            for day in days
            if (entry := series.days.get(day)) is None or now - entry.at > entry.keep * times
        ]

    def _refresh(self, series: _Series, days: list[date], recent: date, read: Read) -> None:
        try:
            with series.lock:
                self._read(series, days, recent, read)
        except AnalyticsError as error:
            log.warning("can't read numbers anew, so older ones are shown: %s", error)
        finally:
            series.refreshing = False

    def _read(self, series: _Series, days: list[date], recent: date, read: Read) -> None:
        for first, last in _runs(days, recent):
            at, began = self._clock(), time.perf_counter()
            values = read(first, last)
            took = time.perf_counter() - began
            share, least = (RECENT_SHARE, RECENT_LEAST) if last >= recent else (OLDER_SHARE, OLDER_LEAST)
            keep = min(MOST, max(least, took / share))
            for day in days:
                if first <= day <= last:
                    value = values.get(day)
                    rows = len(value) if isinstance(value, Sized) else 1
                    series.days[day] = _Entry(value, rows, at, keep)

    def _shrink(self) -> None:
        total = sum(series.rows for series in self._series.values())
        while total > self._most_rows and len(self._series) > 1:
            _, gone = self._series.popitem(last=False)
            total -= gone.rows


def _runs(days: Iterable[date], recent: date) -> Iterator[tuple[date, date]]:
    """Yield the first and last of days that follow each other, older ones apart from recent ones."""
    ordered = sorted(days)
    for place, day in enumerate(ordered):
        if place == 0 or (day - ordered[place - 1]).days > 1 or day == recent:
            first = day
        follows = place + 1 < len(ordered) and (ordered[place + 1] - day).days == 1
        if not follows or ordered[place + 1] == recent:
            yield first, day
