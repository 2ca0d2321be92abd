"""Accts that logged in, signed up and created roles, by hour and by day."""

from collections import defaultdict
from collections.abc import Iterable, Set

from analytics.simulate.events import CREATEROLE, LOGIN, SIGNUP, Event
from analytics.simulate.subledgers.common import Documents, Fields, Servers, hour_of

TYPES = {LOGIN: "login", SIGNUP: "signup", CREATEROLE: "createrole"}
AcctSets = dict[tuple[int, str, int], set[str]]


class AcctLedger:
    """Accts by kind of event, area, and start of the hour or day."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._hours: AcctSets = defaultdict(set)
        self._days: AcctSets = defaultdict(set)
        self._firsts: dict[tuple[int, str, int], int] = {}

    def note(self, area: str, day: int, events: Iterable[Event]) -> None:
        """Enter events of the day that starts at ``day``, in order of time."""
        for ts, op, args in events:
            if op in TYPES:
                hour = op, area, hour_of(ts, day)
                self._firsts.setdefault(hour, ts)
                self._hours[hour].add(args[1])
                self._days[op, area, day].add(args[1])

    def of_day(self, op: int, area: str, day: int) -> Set[str]:
        """Return the accts with ``op`` on that day."""
        return self._days.get((op, area, day), frozenset())

    def days(self) -> set[tuple[str, int]]:
        """Return the areas and days with events."""
        return {(area, day) for _, area, day in self._days}

    def first(self, area: str) -> int | None:
        """Return the time of the area's first event, in Unix seconds."""
        return min((ts for (_, of, _), ts in self._firsts.items() if of == area), default=None)

    def documents(self) -> Documents:
        """Return the documents of the six collections of accts."""
        result: Documents = {}
        for op, kind in TYPES.items():
            result[f"{kind}hour"] = self._of_kind(op, self._hours)
            result[f"{kind}day"] = self._of_kind(op, self._days)
            for document in result[f"{kind}hour"].values():
                document["first_ts"] = self._firsts[op, document["area"], document["ts"]]
        return result

    def _of_kind(self, wanted: int, who: AcctSets) -> dict[str, Fields]:
        return {
            f"{area}:{ts}": self._servers[area].key(ts)
            | {"count": len(accts), "userlist": sorted(accts), "type": TYPES[op]}
            for (op, area, ts), accts in who.items()
            if op == wanted
        }
