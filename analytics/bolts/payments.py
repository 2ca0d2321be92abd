"""What was paid: per area and day, and per area, day and acct. A later snapshot replaces an earlier one by acct.

A payer is an acct that paid more than nothing. An acct whose payments were all refunded is none.
"""

from decimal import Decimal
from typing import Any

from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import Latest, LatestBy, Members, Table
from analytics.core.measures import money
from analytics.core.tuples import Payment, Period, paid_rows

READS = {"payment": Reads(Payment, rows=paid_rows)}


class DayPayments(Period):
    """How many accts paid on a day so far, how often, and how much in currency units."""

    pay_count: int = 0
    pay_amout: Decimal = Decimal(0)


VALUES = ("times", "cents")


def is_payer(times: int, cents: int) -> bool:
    """Return whether an acct with these payments of a day is a payer."""
    return cents > 0


def _totals(table: Table) -> dict[str, Any]:
    return {
        "pay_amout": money(sum(cents for _, _, cents in table.values())),
        "pay_count": sum(times for _, times, _ in table.values()),
    }


paysummary = Bolt(
    name="paysummary",
    reads=READS,
    measures={
        "count": Members("acct", "order", VALUES, list_field="userlist", table="_payments", has=is_payer),
        "payments": LatestBy(
            "acct", "order", VALUES, list_field="_payments", show=_totals, adds=("pay_count", "pay_amout")
        ),
    },
    constants={"type": "payorderuser"},
    publishes=True,
)

payorderdetail = Bolt(
    name="payorderdetail",
    reads=READS,
    by={"acct": "acct"},
    measures={
        "pay_count": Latest("times", "order", adds=True),
        "pay_amout": Latest("cents", "order", show=money, adds=True),
    },
    publishes=True,
)
