"""How many players were online: by hour and day of each area, and by day of each whole."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from analytics.simulate.events import ONLINE, Event
from analytics.simulate.subledgers.common import Calendar, Documents, Fields, Servers, hour_of

MINUTE = 60
HELD = 10
"""Minutes for which a head count holds."""

Minutes = dict[int, int]
"""By the start of a minute, how many were online."""


class OnlineLedger:
    """Head counts, as servers report them."""

    def __init__(self, servers: Servers, calendar: Calendar) -> None:
        self._servers = servers
        self._calendar = calendar
        self._counts: dict[str, Minutes] = defaultdict(dict)

    def note(self, area: str, events: Iterable[Event]) -> None:
        """Enter events of an area in order of time."""
        counts = self._counts[area]
        for ts, op, args in events:
            if op == ONLINE:
                minute = ts - ts % MINUTE
                counts[minute] = max(args[1], counts.get(minute, 0))

    def documents(self, today: int) -> Documents:
        """Return the documents as of a moment within ``today``."""
        result: Documents = {"onlinehour": {}, "onlineday": {}, "onlineday_total": {}}
        together: dict[str, Counter[int]] = defaultdict(Counter)
        names_of: dict[str, Fields] = {}
        for area, counts in self._counts.items():
            server = self._servers[area]
            for hour, some in self._by_hour(counts).items():
                result["onlinehour"][f"{area}:{hour}"] = server.key(hour) | _said(some, _held(some, 1))
            held = _held(counts, HELD)
            result["onlineday"] |= self._days(area, server.names, held, today)
            for id_, names in server.totals:
                names_of[id_] = names
                together[id_].update(held)
        for id_, held in together.items():
            result["onlineday_total"] |= self._days(id_, names_of[id_], held, today)
        return result

    def _days(self, id_: str, names: Fields, held: Minutes, today: int) -> dict[str, Fields]:
        found: dict[str, Fields] = {}
        days: dict[int, Minutes] = defaultdict(dict)
        for minute, online in held.items():
            days[self._calendar.day(minute)][minute] = online
        for day, minutes in days.items():
            ts = self._calendar.start(day)
            hours: Fields = {}
            for hour, some in sorted(self._by_hour(minutes).items()):
                said = _said(some, some)
                hours[str(hour)] = {"acu": said["acu"], "pcu": said["pcu"]}
            fields = _said(minutes, minutes) | {"hours": hours, "final": day < today}
            found[f"{id_}:{ts}"] = names | {"ts": ts} | fields
        return found

    def _by_hour(self, minutes: Minutes) -> dict[int, Minutes]:
        found: dict[int, Minutes] = defaultdict(dict)
        for minute, online in minutes.items():
            day = self._calendar.start(self._calendar.day(minute))
            found[hour_of(minute, day)][minute] = online
        return found


def _held(counts: Minutes, last: int) -> Minutes:
    """Return the minutes for which ``counts`` hold, the last one for so many."""
    return dict(_each_minute(sorted(counts.items()), last))


def _each_minute(counts: list[tuple[int, int]], last: int) -> Iterator[tuple[int, int]]:
    for place, (minute, online) in enumerate(counts):
        following = counts[place + 1][0] if place + 1 < len(counts) else minute + last * MINUTE
        for one in range(minute, min(following, minute + HELD * MINUTE), MINUTE):
            yield one, online


def _said(counts: Minutes, held: Minutes) -> Fields:
    peak = max(counts.values())
    return {
        "acu": round(sum(held.values()) / len(held), 2),
        "pcu": peak,
        "pcu_ts": min(minute for minute, online in counts.items() if online == peak),
        "minutes": len(held),
    }
