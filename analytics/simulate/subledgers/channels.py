"""Where players came from: their first sign-ups that say it, and the accts of a scope that have one channel on a day."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.simulate.channels import GAMES, LISTED, SEGMENT, SOURCE
from analytics.simulate.events import SIGNUP, Event
from analytics.simulate.subledgers.common import Calendar, Documents, Servers
from analytics.simulate.subledgers.scopes import LedgerScope

VALUES = (*LISTED, "other", "unknown")
Firsts = dict[str, tuple[int, int, str, str]]
"""By acct: the start of the day, the time and the area of the first sign-up that names a channel, and the channel."""


@dataclass
class ChannelScope(LedgerScope):
    """The accts of a scope that have one value on a day: the one that is being looked at.

    ``since``: by acct, the ordinal of the day since which it has a value, and the value.
    """

    value: str = ""
    since: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    day: int = 0

    def on(self, day: int) -> "ChannelScope":
        """Look at another day."""
        self.day = day
        return self

    def only(self, accts: Iterable[str]) -> set[str]:
        """Return those of ``accts`` that have the value."""
        return {acct for acct in accts if self._value(acct) == self.value}

    def _value(self, acct: str) -> str:
        first, value = self.since.get(acct, (self.day + 1, ""))
        return value if first <= self.day else "unknown"


class ChannelLedger:
    """The channels of the games that are divided by them."""

    def __init__(self, servers: Servers) -> None:
        self._servers = {area: server for area, server in servers.items() if server.game in GAMES}
        self._firsts: dict[str, Firsts] = defaultdict(dict)

    def note(self, area: str, day: int, events: Iterable[Event]) -> None:
        """Enter events of the day that starts at ``day``, in order of time."""
        if area in self._servers:
            for ts, op, args in events:
                if op == SIGNUP and args[2]:
                    self._firsts[area].setdefault(args[1], (day, ts, area, args[2]))

    def documents(self) -> Documents:
        """Return the documents of the properties that segments are made of."""
        result: dict[str, dict[str, Any]] = {}
        for area, firsts in self._firsts.items():
            for day, *_ in firsts.values():
                key = self._servers[area].key(day) | {"segment": SEGMENT, "from": SOURCE}
                result.setdefault(f"{area}:{day}:{SEGMENT}:{SOURCE}", key | {"users": 0})["users"] += 1
        return {"acctsegment": result}

    def parts(self, scopes: Iterable[LedgerScope], calendar: Calendar) -> Iterator[ChannelScope]:
        """Yield, of each scope of a divided game, one for each value."""
        for scope in scopes:
            if scope.names["game"] in GAMES:
                firsts: Firsts = {}
                for area in scope.areas:
                    for acct, one in self._firsts[area].items():
                        firsts[acct] = min(one, firsts.get(acct, one))
                since = {
                    acct: (calendar.day(day), channel if channel in LISTED else "other")
                    for acct, (day, _, _, channel) in firsts.items()
                }
                for value in VALUES:
                    names = scope.names | {"segment": SEGMENT, "value": value}
                    part = {"names": names, "part": f":{SEGMENT}:{value}"}
                    yield ChannelScope(**{**vars(scope), **part}, value=value, since=since)
