"""The roles as they are, and as the role interface has reported them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from analytics.simulate.events import ROLE, Event
from analytics.simulate.subledgers.common import Calendar, Documents, Fields, Servers

ROLE_FIELDS = ("uid", "name", "grade", "rest_yuanbao", "birthday", "score", "login_time")


class RoleLedger:
    """Each area's newest roles.

    A role changes more often than it is polled, so the number of roles of a grade that were *synced* on a day depends on
    the times of the requests. The interface enters its answers here, by the day of each role's state.
    """

    def __init__(self, servers: Servers, calendar: Calendar) -> None:
        self._servers = servers
        self._calendar = calendar
        self._newest: dict[str, dict[str, tuple[Any, ...]]] = defaultdict(dict)
        self._synced: dict[tuple[str, int], dict[str, tuple[int, int]]] = defaultdict(dict)

    def note(self, area: str, events: Iterable[Event]) -> None:
        """Enter events in order of time."""
        for _, op, args in events:
            if op == ROLE:
                self._newest[area][args[2]] = args

    def changed(self, area: str, since: int = 0) -> list[Fields]:
        """Return, as syncuser tuples, the roles of ``area`` that changed at ``since`` or later, by time."""
        return [
            self._servers[area].key(args[0])
            | {"acctid": args[1]}
            | dict(zip(ROLE_FIELDS, args[2:], strict=True))
            for args in sorted(self._newest.get(area, {}).values())
            if args[0] >= since
        ]

    def answered(self, area: str, roles: Iterable[Fields]) -> None:
        """Enter a complete answer of the interface, even if it was lost on the network."""
        for role in roles:
            seen = self._synced[area, self._calendar.start(self._calendar.day(role["ts"]))]
            if role["ts"] >= seen.get(role["uid"], (0, 0))[0]:
                seen[role["uid"]] = role["ts"], role["grade"]

    def rest(self) -> Counter[tuple[str, str]]:
        """Return, per area and acct, the coins that its roles have."""
        result: Counter[tuple[str, str]] = Counter()
        for area in self._newest:
            for role in self.changed(area):
                result[area, role["acctid"]] += role["rest_yuanbao"]
        return result

    def documents(self) -> Documents:
        """Return the documents of usercenter and userlevel."""
        levels = {}
        for (area, day), seen in self._synced.items():
            grades = Counter(str(grade) for _, grade in seen.values())
            found = {"levels": dict(grades), "users": len(seen)}
            levels[f"{area}:{day}"] = self._servers[area].key(day) | found
        roles = {f"{area}:{role['uid']}": role for area in self._newest for role in self.changed(area)}
        return {"usercenter": roles, "userlevel": levels}
