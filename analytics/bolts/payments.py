"""What was paid: per area and day, and per area, day and acct. A later snapshot replaces an earlier one by acct."""

from typing import Any

from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import Latest, LatestBy, Table
from analytics.core.measures import Distinct, money
from analytics.core.tuples import Payment, paid_rows

READS = {"payment": Reads(Payment, rows=paid_rows)}


def _totals(table: Table) -> dict[str, Any]:
    return {
        "pay_amout": money(sum(cents for _, _, cents in table.values())),
        "pay_count": sum(times for _, times, _ in table.values()),
    }


paysummary = Bolt(
    name="paysummary",
    reads=READS,
    measures={
        "count": Distinct("acct", list_field="userlist"),
        "payments": LatestBy("acct", "order", ("times", "cents"), list_field="_payments", show=_totals),
    },
    constants={"type": "payorderuser"},
    publishes=True,
)

payorderdetail = Bolt(
    name="payorderdetail",
    reads=READS,
    by={"acct": "acct"},
    measures={
        "pay_count": Latest("times", "order"),
        "pay_amout": Latest("cents", "order", show=money),
    },
    publishes=True,
)
