"""Hours, days, weeks and months of a time zone, as Unix seconds.

Periods of one kind tile time without gap or overlap, also where clocks change: a day may last 23 or 25
hours, and the hour in which a half-hour shift falls is cut at the shift. Where clocks that are put back
reach the evening before again, it counts to the day that had begun. Instants before 2000 are not
supported (the suite rejects such records), so every offset and shift lies on a whole minute.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analytics.errors import ConfigError

PeriodName = Literal["hour", "day", "week", "month"]

DATES = ("date", "day", "zone")
"""The fields of documents that say their ``ts`` for readers: see :func:`dates`."""

MINUTE = 60
_CACHE_LIMIT = 200_000  # entries, after which the cache starts over


class Zone:
    """One IANA time zone. Instances are shared: use :func:`zone`."""

    def __init__(self, name: str) -> None:
        """Raise ConfigError if ``name`` is no IANA zone."""
        try:
            self._info = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(
                f'timezone: expected an IANA name like "Asia/Shanghai", got "{name}"'
            ) from error
        self.name = name
        self._starts: dict[tuple[PeriodName, int], int] = {}

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def start(self, period: PeriodName, ts: int) -> int:
        """Return the start of the period that ``ts`` (Unix seconds) lies in, as Unix seconds."""
        key = (period, ts // MINUTE)
        try:
            return self._starts[key]
        except KeyError:
            if len(self._starts) >= _CACHE_LIMIT:
                self._starts.clear()
            start = self._starts[key] = self._compute(period, ts)
            return start

    def next(self, period: PeriodName, start: int) -> int:
        """Return the start of the period that follows the one starting at ``start``."""
        if period == "hour":
            end = start + 3600
            if self.start(period, end - MINUTE) == start:
                return end
            for shift in range(start + MINUTE, end, MINUTE):
                if self._hour(shift) != start:
                    return shift
            return end
        day = self._local_date(start)
        if period == "day":
            return self._midnight(day + timedelta(days=1))
        if period == "week":
            return self._midnight(day + timedelta(days=7))
        return self._midnight((day.replace(day=1) + timedelta(days=32)).replace(day=1))

    def starts(self, period: PeriodName, first: int, last: int) -> Iterator[int]:
        """Yield the start of each period from the one that ``first`` lies in to the one that ``last`` lies in."""
        start, end = self.start(period, first), self.start(period, last)
        while start < end:
            yield start
            start = self.next(period, start)
        yield end

    def day_after(self, day: int, n: int) -> int:
        """Return the start of the ``n``-th calendar day after (before, if negative) the one starting at ``day``."""
        return self._midnight(self._local_date(day) + timedelta(days=n))

    def day_of(self, text: str) -> int:
        """Return the start of the day written ``YYYY-MM-DD``. Raise ValueError if it is no date."""
        return self._midnight(date.fromisoformat(text))

    def local(self, ts: int) -> datetime:
        """Return ``ts`` as an aware datetime of this zone."""
        return datetime.fromtimestamp(ts, self._info)

    def _compute(self, period: PeriodName, ts: int) -> int:
        if period == "hour":
            return self._hour(ts)
        day = self._local_date(ts)
        if period == "week":
            day -= timedelta(days=day.weekday())
        elif period == "month":
            day = day.replace(day=1)
        return self._midnight(day)

    def _local_date(self, ts: int) -> date:
        day = self.local(ts).date()
        tomorrow = day + timedelta(days=1)
        return tomorrow if self._midnight(tomorrow) <= ts else day

    def _midnight(self, day: date) -> int:
        # Where midnight is skipped, fold=0 reads it with the offset before the shift: the shift itself.
        return int(datetime(day.year, day.month, day.day, tzinfo=self._info).timestamp())

    def _offset(self, ts: int) -> int:
        shift = self.local(ts).utcoffset()
        assert shift is not None
        return int(shift.total_seconds())

    def _hour(self, ts: int) -> int:
        offset = self._offset(ts)
        start = ts - (ts + offset) % 3600
        if self._offset(start) == offset:
            return start
        # Clocks changed inside this hour: it begins at the change.
        before, after = start, ts
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == offset:
                after = middle
            else:
                before = middle
        return after


@cache
def zone(name: str) -> Zone:
    """Return the shared Zone of that name. Raise ConfigError if it is unknown."""
    return Zone(name)


@lru_cache(10_000)
def dates(local: Zone, ts: int) -> Mapping[str, Any]:
    """Return what a document with that ``ts`` (Unix seconds) says of it for readers, shared by all callers.

    | field | meaning |
    | --- | --- |
    | `date` | the instant, a datetime in UTC |
    | `day` | the local day that it counts to, such as "2026-11-28" |
    | `zone` | the name of the time zone |
    """
    day = local.local(local.start("day", ts)).date()
    return {"date": datetime.fromtimestamp(ts, UTC), "day": day.isoformat(), "zone": local.name}
