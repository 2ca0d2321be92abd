"""What was paid: per area and day, and per area, day and acct. A later snapshot replaces an earlier one by acct.

A payer is an acct that paid more than nothing. An acct whose payments were all refunded is none.
"""

from collections import Counter
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


def _in_currencies(table: Table) -> dict[str, Any]:
    """Return sums over accts: ``table`` maps each to (order, gross, refunds, currencies), as a :class:`PaidRow` has them."""
    gross, refunds, converted = Counter[str](), Counter[str](), Counter[str]()
    rates = set[str]()
    for _, _, _, currencies in table.values():
        for currency, its_gross, its_refunds, gross_converted, refunds_converted, rate in currencies:
            gross[currency] += its_gross
            refunds[currency] += its_refunds
            converted[currency] += gross_converted - refunds_converted
            rates.add(f"{currency} {rate}")
    whole_gross, whole_refunds = (sum(one[place] for one in table.values()) for place in (1, 2))
    return {
        "gross": money(whole_gross),
        "refunds": money(whole_refunds),
        "net": money(whole_gross - whole_refunds),
        "gross_in": {one: money(gross[one]) for one in sorted(gross)},
        "refunds_in": {one: money(refunds[one]) for one in sorted(gross)},
        "net_in": {one: money(gross[one] - refunds[one]) for one in sorted(gross)},
        "converted": {one: money(converted[one]) for one in sorted(gross)},
        "rates": ", ".join(sorted(rates)),
    }


revenueday = Bolt(
    name="revenueday",
    reads=READS,
    measures={
        "amounts": LatestBy(
            "acct",
            "order",
            ("gross", "refunds", "currencies"),
            list_field="_amounts",
            show=_in_currencies,
            adds=("gross", "refunds", "net"),
        ),
    },
    totals=True,
)
"""Gross, refunds and net, in the game's currency and in each that was paid in."""
