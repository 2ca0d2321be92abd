"""Numbers that were read a moment ago, kept by day, so that a page does not add up a year's documents each time.

How long something is kept follows from what it cost to read: what takes a millisecond is read anew almost each time,
what takes seconds is kept for minutes, the last two days for a shorter time than those before. Who asks for numbers
whose time is over gets them at once, while they are read anew in the background; after much longer than that one
waits. Views say when the oldest of their numbers was read.

Many days are read a few at a time, the newest first, so no search takes long, and what was read before one fails stays.
Who would have to wait longer than ``PATIENCE`` is told how far it has come; reading goes on without them. In the
background one reading is made at a time, with rests between, however many series are over.
"""

import copy
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import gevent
from gevent.lock import BoundedSemaphore, RLock

from analytics.errors import AnalyticsError, Unavailable

RECENT_SHARE, OLDER_SHARE = 0.05, 0.005
"""Of the time, how much may go into reading one thing anew."""

RECENT_LEAST, OLDER_LEAST = 0.2, 2.0
RECENT_MOST, OLDER_MOST = 600.0, 1800.0
STALE = 20
"""After so many times its time a number is not shown any more before it was read anew."""

ANEW_SHARE, FIRST_SHARE = 0.25, 0.67
"""Of the time, how much all reading in the background may take: of what is there already, and of what is not."""

FIRST_DAYS, PIECE_SECONDS = 4, 0.5
"""How many days are read at once: so many at first, then as many as take about so long."""

PATIENCE = 10.0
MOST_ROWS = 400_000
"""Of about 300 bytes each."""
log = logging.getLogger(__name__)

Read = Callable[[date, date], dict[date, Any]]


class NotYet(Unavailable):
    """Numbers are being read for the first time, and that takes longer than anybody should wait."""

    def __init__(self, there: int, wanted: int) -> None:
        super().__init__(
            f"these numbers are being added up for the first time: {there} of {wanted} days are done; "
            "ask again in a few seconds"
        )
        self.there = there
        self.wanted = wanted


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
        self.a_day = PIECE_SECONDS / FIRST_DAYS
        """How many seconds reading a day takes."""

    @property
    def rows(self) -> int:
        return sum(entry.rows + 1 for entry in self.days.values())


class Kept:
    """Values by key and day.

    Args:
        most_rows: bounds its memory; the keys that nobody has asked for longest go first.
        most_seconds: nothing is kept for longer before it is read anew.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        most_rows: int = MOST_ROWS,
        most_seconds: float = OLDER_MOST,
    ) -> None:
        self._clock = clock
        self._most_rows = most_rows
        self._most_seconds = most_seconds
        self._series: OrderedDict[Hashable, _Series] = OrderedDict()
        self._turn = BoundedSemaphore(1)
        self._patience = PATIENCE

    def patient(self, seconds: float) -> Self:
        """Return the same numbers for somebody who waits for ``seconds`` at most."""
        other = copy.copy(self)
        other._patience = seconds
        return other

    def rows(self) -> int:
        """Return how much is kept."""
        return sum(series.rows for series in self._series.values())

    def get(
        self, key: Hashable, days: Sequence[date], recent: date, read: Read
    ) -> tuple[dict[date, Any], float]:
        """Return the value of each of ``days`` that has one, and when the oldest was read.

        Args:
            recent: the first day that may still change by itself.
            read: returns the values of the days from one to another.

        Raises:
            NotYet: that takes longer than one should wait. It goes on in the background.
        """
        series = self._series.setdefault(key, _Series())
        self._series.move_to_end(key)
        if self._over(series, days, STALE):
            self._wait(series, days, recent, read)
            self._shrink()
        self._anew(series, self._over(series, days, 1), recent, read, ANEW_SHARE)
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

    def _wait(self, series: _Series, days: Sequence[date], recent: date, read: Read) -> None:
        """Read what nobody else reads already, piece by piece, until all is there or patience is at its end."""
        until = time.monotonic() + self._patience
        while lacking := self._over(series, days, STALE):
            left = until - time.monotonic()
            if left <= 0 or not series.lock.acquire(timeout=left):
                self._anew(series, lacking, recent, read, FIRST_SHARE)
                raise NotYet(len(days) - len(lacking), len(days))
            try:
                # Somebody else may have read them while we waited.
                if lacking := self._over(series, lacking, STALE):
                    self._read(series, _piece(series, lacking, recent), recent, read)
            finally:
                series.lock.release()

    def _anew(self, series: _Series, days: list[date], recent: date, read: Read, share: float) -> None:
        """Read ``days`` in the background, unless that is being done."""
        if days and not series.refreshing:
            series.refreshing = True
            gevent.spawn(self._refresh, series, days, recent, read, share)

    def _refresh(self, series: _Series, days: list[date], recent: date, read: Read, share: float) -> None:
        try:
            while days:
                with self._turn:
                    began = time.perf_counter()
                    with series.lock:
                        piece = _piece(series, days, recent)
                        if any(day in self._over(series, piece, 1) for day in piece):
                            self._read(series, piece, recent, read)
                    days = [day for day in days if day not in piece]
                    gevent.sleep((time.perf_counter() - began) * (1 / share - 1))
            self._shrink()
        except AnalyticsError as error:
            log.warning("can't read numbers anew, so older ones are shown: %s", error)
        finally:
            series.refreshing = False

    def _read(self, series: _Series, piece: list[date], recent: date, read: Read) -> None:
        at, began = self._clock(), time.perf_counter()
        values = read(piece[0], piece[-1])
        series.a_day = (time.perf_counter() - began) / len(piece)
        if piece[-1] >= recent:
            keep = min(RECENT_MOST, max(RECENT_LEAST, series.a_day * len(piece) / RECENT_SHARE))
        else:
            # Its share is one for all days together.
            others = max(len(series.days), len(piece))
            keep = min(OLDER_MOST, max(OLDER_LEAST, series.a_day * others / OLDER_SHARE))
        for day in piece:
            value = values.get(day)
            series.days[day] = _Entry(value, _rows(value), at, min(keep, self._most_seconds))

    def _shrink(self) -> None:
        total = self.rows()
        while total > self._most_rows and len(self._series) > 1:
            _, gone = self._series.popitem(last=False)
            total -= gone.rows


def _rows(value: Any) -> int:
    """Return how many numbers or rows of them a value holds, that of whom it holds included."""
    if isinstance(value, dict):
        return sum(map(_rows, value.values()))
    return int(getattr(value, "rows", 1))


def _piece(series: _Series, days: Sequence[date], recent: date) -> list[date]:
    """Return, in order, the newest of ``days`` that follow each other, recent ones apart, as many as to read at once."""
    most = max(1, int(PIECE_SECONDS / series.a_day)) if series.a_day else len(days)
    return next(_runs(days, recent))[-most:]


def _runs(days: Iterable[date], recent: date) -> Iterator[list[date]]:
    """Yield days that follow each other, in order, the newest first, older ones apart from recent ones."""
    run: list[date] = []
    for day in sorted(days, reverse=True):
        if run and ((run[0] - day).days > 1 or day < recent <= run[0]):
            yield run
            run = []
        run.insert(0, day)
    if run:
        yield run
