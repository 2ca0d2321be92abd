"""What virtual coins (yuanbao) are spent on and where they come from."""

from collections.abc import Mapping
from typing import Any

import msgspec

from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Count, Distinct, Measure, Sum
from analytics.core.periods import PeriodName
from analytics.core.tuples import Amount, Gamelog, Name


class Coins(msgspec.Struct, gc=False):
    """A change of an acct's coins: below 0 spent, above 0 _gained, 0 counts nowhere."""

    acct: Name
    amount: Amount
    reason: Name


READS = {"gamelog.yuanbao_logchange": Reads(Gamelog[Coins])}


def spent(row: Gamelog[Coins]) -> int:
    return max(-row.data.amount, 0)


def _gained(row: Gamelog[Coins]) -> int:
    return max(row.data.amount, 0)


def _measures() -> Mapping[str, Measure[Any]]:
    return {
        "count": Count(spent),
        "amount": Sum(spent),
        "users": Distinct("data.acct", list_field="_users", where=spent),
        "gain_count": Count(_gained),
        "gain_amount": Sum(_gained),
    }


def _coins(name: str, period: PeriodName, by: Mapping[str, str]) -> Bolt:
    return Bolt(name=name, reads=READS, period=period, by=by, measures=_measures())


coinhour = _coins("coinhour", "hour", {})
coinday = _coins("coinday", "day", {})
cointype = _coins("cointype", "day", {"reason": "data.reason"})
