"""The roles as they are, and as the role interface has told of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from analytics.simulate.books.common import Calendar, Documents, Fields, Servers
from analytics.simulate.events import ROLE, Event

ROLE_FIELDS = ("uid", "name", "grade", "rest_yuanbao", "birthday", "score", "login_time")


class Roles:
    """Each area's roles as they were last.

    A role changes more often than anybody asks for it, so how many roles of which grade were *synced* on a day
    depends on when that was. The interface notes here what it told, by the day on which a role was so.
    """

    def __init__(self, servers: Servers, calendar: Calendar) -> None:
        self._servers = servers
        self._calendar = calendar
        self._newest: dict[str, dict[str, tuple[Any, ...]]] = defaultdict(dict)
        self._told: dict[tuple[str, int], dict[str, tuple[int, int]]] = defaultdict(dict)

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

    def told(self, area: str, roles: Iterable[Fields]) -> None:
        """Enter what the interface told in a whole answer. One that got lost on its way is in here, too."""
        for role in roles:
            seen = self._told[area, self._calendar.start(self._calendar.day(role["ts"]))]
            if role["ts"] >= seen.get(role["uid"], (0, 0))[0]:
                seen[role["uid"]] = role["ts"], role["grade"]

    def rest(self) -> Counter[tuple[str, str]]:
        """Return per area and acct the coins that its roles have left."""
        result: Counter[tuple[str, str]] = Counter()
        for area in self._newest:
            for role in self.changed(area):
                result[area, role["acctid"]] += role["rest_yuanbao"]
        return result

    def documents(self) -> Documents:
        """Return the documents of usercenter and userlevel."""
        levels = {}
        for (area, day), seen in self._told.items():
            grades = Counter(str(grade) for _, grade in seen.values())
            found = {"levels": dict(grades), "users": len(seen)}
            levels[f"{area}:{day}"] = self._servers[area].key(day) | found
        roles = {f"{area}:{role['uid']}": role for area in self._newest for role in self.changed(area)}
        return {"usercenter": roles, "userlevel": levels}
