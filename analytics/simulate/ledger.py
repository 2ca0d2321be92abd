"""The simulated game's own books: what really happened, kept in plain sets and sums.

Nothing of the suite's core is used here, so that what the suite computed can be compared with it. Hours are
counted from local midnight, which is right in every zone whose clocks change by whole hours.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from analytics.simulate.events import CREATEROLE, LOGIN, PAY, ROLE, SIGNUP, Event, GameServer

TYPES = {LOGIN: "login", SIGNUP: "signup", CREATEROLE: "createrole"}
ROLE_FIELDS = ("uid", "name", "grade", "rest_yuanbao", "birthday", "score", "login_time")

Documents = dict[str, dict[str, dict[str, Any]]]


class Ledger:
    """What happened in all areas so far. Give it each area's events in order of time, each once."""

    def __init__(self, servers: Iterable[GameServer]) -> None:
        self._servers = {server.id: server for server in servers}
        self._hours: dict[tuple[int, str, int], set[str]] = defaultdict(set)
        self._days: dict[tuple[int, str, int], set[str]] = defaultdict(set)
        self._firsts: dict[tuple[int, str, int], int] = {}
        self._payments: dict[tuple[str, int], dict[str, list[int]]] = defaultdict(dict)
        self._roles: dict[str, dict[str, tuple[Any, ...]]] = defaultdict(dict)
        self.records = 0

    def note(self, area: str, day: int, events: Iterable[Event]) -> None:
        """Enter events of ``area`` on the day that starts at ``day``."""
        for ts, op, args in events:
            if op in TYPES:
                hour = (op, area, ts - (ts - day) % 3600)
                self._firsts.setdefault(hour, ts)
                self._hours[hour].add(args[1])
                self._days[op, area, day].add(args[1])
            elif op == PAY:
                paid = self._payments[area, day].setdefault(args[1], [0, 0])
                paid[0] += 1
                paid[1] += args[2]
            elif op == ROLE:
                self._roles[area][args[2]] = args
            self.records += op < PAY

    def payments(self, area: str, day: int) -> dict[str, tuple[int, int]]:
        """Return the payments of a day so far: acct to (times, cents), sorted by acct."""
        paid = self._payments.get((area, day), {})
        return {acct: (paid[acct][0], paid[acct][1]) for acct in sorted(paid)}

    def roles(self, area: str, since: int = 0) -> list[dict[str, Any]]:
        """Return, as syncuser tuples, the roles of ``area`` that changed at ``since`` or later."""
        server = self._servers[area]
        return [
            {"game": server.game, "area": area, "plat": server.plat, "ts": args[0], "acctid": args[1]}
            | dict(zip(ROLE_FIELDS, args[2:], strict=True))
            for args in sorted(self._roles.get(area, {}).values())
            if args[0] >= since
        ]

    def documents(self) -> Documents:
        """Return what the suite's documents must say: collection to ``_id`` to fields, lists sorted."""
        result: Documents = {"paysummary": {}, "payorderdetail": {}, "server": {}}
        for op, kind in TYPES.items():
            result[f"{kind}hour"] = {}
            result[f"{kind}day"] = {}
            self._add_accts(result[f"{kind}hour"], op, self._hours)
            self._add_accts(result[f"{kind}day"], op, self._days)
        for document in (hour for kind in TYPES.values() for hour in result[f"{kind}hour"].values()):
            document["first_ts"] = self._firsts[_op(document["type"]), document["area"], document["ts"]]
        for (area, day), paid in self._payments.items():
            self._add_payments(result, area, day, paid)
        for area, day in {key[1:] for key in self._days} | set(self._payments):
            result["server"][f"{area}:{day}"] = self._key(area, day) | self._totals(area, day)
        return result

    def _add_accts(
        self, into: dict[str, dict[str, Any]], op: int, accts: dict[tuple[int, str, int], set[str]]
    ) -> None:
        for (kind, area, ts), members in accts.items():
            if kind == op:
                found = {"count": len(members), "userlist": sorted(members), "type": TYPES[op]}
                into[f"{area}:{ts}"] = self._key(area, ts) | found

    def _add_payments(self, into: Documents, area: str, day: int, paid: dict[str, list[int]]) -> None:
        key = self._key(area, day)
        into["paysummary"][f"{area}:{day}"] = key | {
            "count": len(paid),
            "userlist": sorted(paid),
            "pay_amout": _money(sum(cents for _, cents in paid.values())),
            "pay_count": sum(times for times, _ in paid.values()),
            "type": "payorderuser",
        }
        for acct, (times, cents) in paid.items():
            one = {"acct": acct, "pay_count": times, "pay_amout": _money(cents)}
            into["payorderdetail"][f"{area}:{day}:{acct}"] = key | one

    def _totals(self, area: str, day: int) -> dict[str, Any]:
        paid = self._payments.get((area, day), {})
        return {
            "active": len(self._days.get((LOGIN, area, day), ())),
            "reg": len(self._days.get((SIGNUP, area, day), ())),
            "create_role": len(self._days.get((CREATEROLE, area, day), ())),
            "pay_user": len(paid),
            "pay_count": sum(times for times, _ in paid.values()),
            "pay_amout": _money(sum(cents for _, cents in paid.values())),
        }

    def _key(self, area: str, ts: int) -> dict[str, Any]:
        server = self._servers[area]
        return {"game": server.game, "area": area, "plat": server.plat, "ts": ts}


def _op(kind: str) -> int:
    return next(op for op, name in TYPES.items() if name == kind)


def _money(cents: int) -> int | float:
    return cents / 100 if cents % 100 else cents // 100
