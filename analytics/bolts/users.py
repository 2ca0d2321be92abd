"""Who players are: what each acct paid and spent, each role as it is now, and an area's roles by level."""

from collections import Counter
from operator import itemgetter
from typing import Any

from analytics.bolts.economy import READS as COINS
from analytics.bolts.economy import spent
from analytics.bolts.payments import READS as PAYMENT
from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import LatestBy, LatestRow, Table
from analytics.core.measures import Sum, fitting, money
from analytics.core.tuples import Syncuser

READS = {"syncuser": Reads(Syncuser)}

UNPAID = {"pay_count": 0, "pay_amout": 0, "pay_days": 0, "first_pay": None, "last_pay": None}

_second = itemgetter(1)


def _paid(days: Table) -> dict[str, Any]:
    """``days``: start of day to (order, times, cents). ``first_pay``, ``last_pay``: null before any payment."""
    if not days:
        return UNPAID
    return {
        "pay_count": sum(times for _, times, _ in days.values()),
        "pay_amout": money(sum(cents for _, _, cents in days.values())),
        "pay_days": len(days),
        "first_pay": min(days),
        "last_pay": max(days),
    }


def _rest(roles: Table) -> dict[str, Any]:
    return {"rest_yuanbao": fitting(sum(map(_second, roles.values())))}


def _levels(roles: Table) -> dict[str, Any]:
    """``roles``: uid to (order, grade)."""
    grades = Counter(map(_second, roles.values()))
    return {"levels": {str(grade): grades[grade] for grade in sorted(grades)}, "users": len(roles)}


# A role that moves to another acct still counts in the rest_yuanbao of the one it left, as it last was there:
# the tuple that says so names only the new acct, and reaches only that one's document.
userpay = Bolt(
    name="userpay",
    reads=PAYMENT | READS | COINS,
    period=None,
    by={"acct": "acct"},
    measures={
        "days": LatestBy("day", "order", ("times", "cents"), list_field="_days", show=_paid, on="payment"),
        "roles": LatestBy("uid", "order", ("rest_yuanbao",), list_field="_roles", show=_rest, on="syncuser"),
        "used_yuanbao": Sum(spent, on=list(COINS)),
    },
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
)
