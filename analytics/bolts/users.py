"""Players: what each acct paid and spent, each role's newest state, and an area's roles by level."""

from collections import Counter
from operator import itemgetter
from typing import Any

import msgspec

from analytics.bolts.economy import READS as COINS
from analytics.bolts.economy import spent
from analytics.bolts.payments import READS as PAYMENT
from analytics.bolts.payments import VALUES, is_payer
from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import LatestBy, LatestRow, Table
from analytics.core.measures import Sum, fitting, money
from analytics.core.periods import Zone
from analytics.core.tuples import Syncuser

READS = {"syncuser": Reads(Syncuser)}

_second = itemgetter(1)


def _paid(days: Table) -> dict[str, Any]:
    """``days``: start of day to (order, times, cents). ``first_pay``, ``last_pay``: null where nothing was paid."""
    paid = [day for day, (_, *values) in days.items() if is_payer(*values)]
    return {
        "pay_count": sum(times for _, times, _ in days.values()),
        "pay_amout": money(sum(cents for _, _, cents in days.values())),
        "pay_days": len(paid),
        "first_pay": min(paid, default=None),
        "last_pay": max(paid, default=None),
    }


class Held(msgspec.Struct):
    """What a role's state says of the coins of one acct."""

    acct: str
    uid: str
    order: tuple[int, int, int, str]
    rest_yuanbao: int


def held_rows(role: Syncuser, zone: Zone) -> list[Held]:
    """Return what a role's state says of accts: of its own, and of one that it has left, which has none of its coins."""
    if role.left is None:
        return [Held(role.acctid, role.uid, role.order, role.rest_yuanbao)]
    if role.left == role.acctid:
        return [Held(role.acctid, role.uid, role.order, 0)]
    return [
        Held(role.acctid, role.uid, role.order, role.rest_yuanbao),
        Held(role.left, role.uid, role.order, 0),
    ]


def _rest(roles: Table) -> dict[str, Any]:
    return {"rest_yuanbao": fitting(sum(map(_second, roles.values())))}


def _levels(roles: Table) -> dict[str, Any]:
    """``roles``: uid to (order, grade)."""
    grades = Counter(map(_second, roles.values()))
    return {"levels": {str(grade): grades[grade] for grade in sorted(grades)}, "users": len(roles)}


userpay = Bolt(
    name="userpay",
    reads=PAYMENT | {"syncuser": Reads(Syncuser, rows=held_rows, departures=True)} | COINS,
    period=None,
    by={"acct": "acct"},
    measures={
        "days": LatestBy("day", "order", VALUES, list_field="_days", show=_paid, on="payment"),
        "roles": LatestBy("uid", "order", ("rest_yuanbao",), list_field="_roles", show=_rest, on="syncuser"),
        "used_yuanbao": Sum(spent, on=list(COINS)),
    },
    indexes=[("area", "pay_amout"), ("game", "pay_amout")],
)

usercenter = Bolt(
    name="usercenter",
    reads=READS,
    period=None,
    by={"uid": "uid"},
    measures={
        "role": LatestRow(
            "order", ("ts", "name", "grade", "rest_yuanbao", "birthday", "acctid", "score", "login_time")
        ),
    },
)

userlevel = Bolt(
    name="userlevel",
    reads=READS,
    measures={"roles": LatestBy("uid", "order", ("grade",), list_field="_roles", show=_levels)},
    totals=True,
)
