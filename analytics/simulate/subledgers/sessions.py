"""Sessions: of each area and day, whose they were, how long they lasted, and how they ended."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from analytics.simulate.events import LOGIN, LOGOUT, Event
from analytics.simulate.subledgers.common import Calendar, Documents, Servers, hour_of

GAP, LIMIT = 5 * 60, 12 * 3600
"""Seconds, as the configuration has them by default."""


class Session(NamedTuple):
    """``way``: "logout", "login" or "limit", as a later login or the limit ended it; "open": nothing has."""

    acct: str
    begin: int
    seconds: int
    way: str


class SessionRecord(NamedTuple):
    """A login or logout; ``rank`` orders those of one second, ``said``: the seconds that a logout says."""

    ts: int
    rank: int
    said: int

    @property
    def is_login(self) -> bool:
        """Whether the acct came."""
        return self.rank == 1


class SessionLedger:
    """Logins and logouts."""

    def __init__(self, servers: Servers, calendar: Calendar) -> None:
        self._servers = servers
        self._calendar = calendar
        self._logins: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self._logouts: dict[str, dict[str, set[tuple[int, int]]]] = defaultdict(lambda: defaultdict(set))

    def note(self, area: str, events: Iterable[Event]) -> None:
        """Enter events of an area."""
        for ts, op, args in events:
            if op == LOGIN:
                self._logins[area][args[1]].add(ts)
            elif op == LOGOUT:
                self._logouts[area][args[1]].add((ts, args[2]))

    def documents(self) -> Documents:
        """Return the documents of hours."""
        result: Documents = {"sessionhour": {}}
        for area, server in self._servers.items():
            logins = [("logins", ts) for times in self._logins[area].values() for ts in times]
            logouts = [("logouts", ts) for times in self._logouts[area].values() for ts, _ in times]
            for name, ts in (*logins, *logouts):
                hour = hour_of(ts, self._calendar.start(self._calendar.day(ts)))
                nothing = server.key(hour) | {"logins": 0, "logouts": 0}
                result["sessionhour"].setdefault(f"{area}:{hour}", nothing)[name] += 1
        return result

    def by_day(self, area: str, today: int) -> dict[int, list[Session]]:
        """Return an area's sessions by the day on which they began, as of a moment within ``today``."""
        found: dict[int, list[Session]] = defaultdict(list)
        left = [ts for times in self._logouts[area].values() for ts, _ in times]
        newest = max([*left, *(ts for times in self._logins[area].values() for ts in times)], default=0)
        days = set(map(self._calendar.day, left))
        for acct, times in self._logins[area].items():
            records = [SessionRecord(ts, 1, 0) for ts in times]
            records += [
                SessionRecord(ts, 0 if said else 2, said) for ts, said in self._logouts[area].get(acct, ())
            ]
            for begin, seconds, way in _sessions(sorted(records), newest):
                day = self._calendar.day(begin)
                if way == "open" and day + 1 < today:
                    seconds, way = seconds + LIMIT, "limit"
                if days & {day - 1, day, day + 1}:
                    found[day].append(Session(acct, begin, seconds, way))
        return found


def _sessions(records: list[SessionRecord], newest: int) -> Iterator[tuple[int, int, str]]:
    """Yield begin, length and end of the sessions of an acct, whose records are in order."""
    begin, seconds, way = -1, 0, ""
    for place, record in enumerate(records):
        before = records[place - 1] if place else SessionRecord(-LIMIT, 0, 0)
        later = records[place + 1] if place + 1 < len(records) else None
        came, end, how = record.ts, record.ts, "logout"
        if record.is_login and later is not None and later.ts - came <= LIMIT:
            end, how = later.ts, "login" if later.is_login else "logout"
        elif record.is_login:
            is_open = later is None and came + LIMIT > newest
            end, how = (came, "open") if is_open else (came + LIMIT, "limit")
        elif before.is_login and came - before.ts <= LIMIT:
            continue
        else:
            came = max(came - min(record.said, LIMIT), before.ts + (LIMIT if before.is_login else 0))
        if begin >= 0 and came - before.ts > GAP:
            yield begin, seconds, way
            begin, seconds = -1, 0
        begin, seconds, way = came if begin < 0 else begin, seconds + end - came, how
    if begin >= 0:
        yield begin, seconds, way
