"""Which days of which areas are still worth asking about."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from analytics.core.areas import Area
from analytics.core.periods import Zone

HALF_DAY = 43_200


@dataclass(frozen=True, slots=True)
class AreaDay:
    """One area's day, which starts at ``ts`` (Unix seconds)."""

    area: Area
    ts: int

    @property
    def key(self) -> str:
        """The pair as text."""
        return f"{self.area.id}:{self.ts}"

    @property
    def date(self) -> str:
        """The day as ``YYYY-MM-DD``."""
        return f"{self.area.zone.local(self.ts):%Y-%m-%d}"


def day_in(zone: Zone, ts: int) -> int:
    """Return the start, in a zone, of the day that started at ``ts`` in the zone that an area had before."""
    return zone.start("day", ts + HALF_DAY)


def key_now(key: str, areas: Mapping[str, Area]) -> str:
    """Return the key that an area's day has in the zone that the area has now."""
    id_, _, ts = key.rpartition(":")
    area = areas.get(id_)
    return AreaDay(area, day_in(area.zone, int(ts))).key if area is not None else key


class Days:
    """Every day from the first one on, until it is settled: asked about ``settle_seconds`` after its end.

    ``settled`` maps an area to the start of the last day up to which all are settled. So the days of a
    downtime are asked about after it, however long it was. A day that can't be settled yet was settled by a clock that was
    ahead: it is asked about again.
    ``since``: the first day of an area that is new here, ``YYYY-MM-DD``; empty means yesterday.
    """

    def __init__(self, settled: dict[str, int], settle_seconds: float, since: str = "") -> None:
        self.settled = settled
        self._settle_seconds = settle_seconds
        self._since = since
        self._ahead: set[AreaDay] = set()

    def open(self, areas: Iterable[Area], now: float) -> Iterator[AreaDay]:
        """Yield the days that have begun at ``now`` and are not settled; of each area the oldest first."""
        self._ahead = {day for day in self._ahead if day.ts <= self._newest(day.area, now)}
        for area in areas:
            first = self._before_first(area, now)
            self.settled[area.id] = min(self.settled.get(area.id, first), max(first, self._newest(area, now)))
            day = area.zone.day_after(self.settled[area.id], 1)
            while day <= now:
                wanted = AreaDay(area, day)
                if self.is_open(wanted):
                    yield wanted
                day = area.zone.day_after(day, 1)

    def is_open(self, day: AreaDay) -> bool:
        """Return whether ``day`` is not settled."""
        return day.ts > self.settled[day.area.id] and day not in self._ahead

    def can_settle(self, day: AreaDay, now: float) -> bool:
        """Return whether an answer at ``now`` is late enough to be the last one about ``day``."""
        return now >= day.area.zone.day_after(day.ts, 1) + self._settle_seconds

    def answered(self, day: AreaDay, now: float) -> list[AreaDay]:
        """Note that what was said at ``now`` about ``day`` is safe. Return the days that this settles."""
        if not self.can_settle(day, now) or not self.is_open(day):
            return []
        zone = day.area.zone
        self._ahead.add(day)
        passed = []
        while (following := AreaDay(day.area, zone.day_after(self.settled[day.area.id], 1))) in self._ahead:
            self._ahead.discard(following)
            self.settled[day.area.id] = following.ts
            passed.append(following)
        return passed

    def _newest(self, area: Area, now: float) -> int:
        """Return the last day that can be settled at ``now``."""
        day = area.zone.start("day", int(now - self._settle_seconds))
        return area.zone.day_after(day, -1)

    def _before_first(self, area: Area, now: float) -> int:
        if self._since:
            return area.zone.day_after(area.zone.day_of(self._since), -1)
        return area.zone.day_after(area.zone.start("day", int(now)), -2)
