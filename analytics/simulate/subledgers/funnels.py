"""When players reach the steps of the funnel: by area, step and day, the first time of each acct."""

from collections import defaultdict
from collections.abc import Iterable

from analytics.simulate.events import CREATEROLE, FINISH, SIGNUP, Event
from analytics.simulate.funnel import GRADE, QUEST, STEPS
from analytics.simulate.subledgers.common import Calendar, Documents, Fields, Servers

Times = dict[str, int]
"""By acct, Unix seconds."""


class StepLedger:
    """The steps that logs and the role interface report. Of roles, only what the interface has answered is known."""

    def __init__(self, servers: Servers, calendar: Calendar) -> None:
        self._servers = servers
        self._calendar = calendar
        self._times: dict[tuple[str, str, int], Times] = defaultdict(dict)

    def note(self, area: str, events: Iterable[Event]) -> None:
        """Enter events of an area."""
        for ts, op, args in events:
            if op == SIGNUP:
                self._enter(area, STEPS[0], ts, args[1])
            elif op == CREATEROLE:
                self._enter(area, STEPS[1], ts, args[1])
            elif op == FINISH and args[2] == QUEST:
                self._enter(area, STEPS[2], ts, args[1])

    def answered(self, area: str, roles: Iterable[Fields]) -> None:
        """Enter an answer of the role interface."""
        for role in roles:
            if role["grade"] >= GRADE:
                self._enter(area, STEPS[3], role["ts"], role["acctid"])

    def documents(self) -> Documents:
        """Return the documents of steps."""
        found: dict[str, Fields] = {}
        for (area, step, day), times in self._times.items():
            ts = self._calendar.start(day)
            found[f"{area}:{ts}:{step}"] = self._servers[area].key(ts) | {"step": step, "users": len(times)}
        return {"acctstep": found}

    def by_day(self, area: str) -> dict[tuple[str, int], Times]:
        """Return an area's times by step and day, an ordinal."""
        return {(step, day): times for (of, step, day), times in self._times.items() if of == area}

    def _enter(self, area: str, step: str, ts: int, acct: str) -> None:
        times = self._times[area, step, self._calendar.day(ts)]
        times[acct] = min(ts, times.get(acct, ts))
