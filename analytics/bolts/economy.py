"""What virtual coins (yuanbao) are spent on and where they come from."""

from collections.abc import Mapping
from typing import Any

import msgspec

from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Distinct, Flow, Measure
from analytics.core.periods import PeriodName
from analytics.core.tuples import AcctName, Amount, Gamelog, Name


class Coins(msgspec.Struct, gc=False):
    """A change of an acct's coins: below 0 spent, above 0 gained, 0 counts nowhere."""

    acct: AcctName
    amount: Amount
    reason: Name


READS = {"gamelog.yuanbao_logchange": Reads(Gamelog[Coins])}


def spent(row: Gamelog[Coins]) -> int:
    """Return the coins that a record says were spent."""
    amount = row.data.amount
    return -amount if amount < 0 else 0


def _measures() -> Mapping[str, Measure[Any]]:
    return {
        "coins": Flow("data.amount", out=("count", "amount"), into=("gain_count", "gain_amount")),
        "users": Distinct("data.acct", list_field="_users", where=lambda row: row.data.amount < 0),
    }


def _coins(name: str, period: PeriodName, by: Mapping[str, str]) -> Bolt:
    return Bolt(name=name, reads=READS, period=period, by=by, measures=_measures(), totals=True)


coinhour = _coins("coinhour", "hour", {})
coinday = _coins("coinday", "day", {})
cointype = _coins("cointype", "day", {"reason": "data.reason"})
