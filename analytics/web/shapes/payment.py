"""The page *payment*: what was paid, by how many, and what a cohort is worth."""

from typing import Annotated

import msgspec
from msgspec import Meta

from analytics.web.shapes.common import Date, Final, Money, View


class PayDay(msgspec.Struct, frozen=True):
    """What was paid on one day."""

    day: Date
    ts: Annotated[int, Meta(description="the start of the day in the scope's time zone, Unix seconds")]
    revenue: Annotated[Money, Meta(description="currency units: all that was paid that day")]
    payers: Annotated[int, Meta(description="accts: distinct accts that paid on the day")]
    dau: Annotated[int, Meta(description="accts: distinct accts that logged in on the day")]
    pay_rate: Annotated[float, Meta(description="quotient: payers ÷ dau, four decimals; can exceed 1")]
    arpu: Annotated[Money, Meta(description="currency units an acct: revenue ÷ dau, four decimals")]
    arppu: Annotated[Money, Meta(description="currency units an acct: revenue ÷ payers, four decimals")]
    reg: Annotated[int, Meta(description="accts: distinct accts that signed up on the day")]
    new_payers: Annotated[int, Meta(description="accts: those of `reg` that paid on the day")]
    new_pay_rate: Annotated[float, Meta(description="quotient: new_payers ÷ reg, four decimals")]
    final: Final


class LtvPoint(msgspec.Struct, frozen=True):
    """A cohort's worth by its n-th day."""

    n: Annotated[int, Meta(description="days after the sign-up day: 0 to 30, 60 and 90")]
    value: Annotated[
        Money,
        Meta(
            description="currency units an acct: what the cohort paid from its day through the n-th after, ÷ size"
        ),
    ]


class LtvCohort(msgspec.Struct, frozen=True):
    """The curve of who signed up on one day. Only days that have ended are in it."""

    day: Date
    size: Annotated[int, Meta(description="accts: who signed up that day")]
    points: list[LtvPoint]
    final: Final


class LtvAverage(msgspec.Struct, frozen=True):
    """All cohorts as one: what is added by the n-th day is the mean of those whose n-th day has ended, weighted by size."""

    n: int
    cohorts: Annotated[int, Meta(description="cohorts whose n-th day has ended")]
    size: Annotated[int, Meta(description="accts: these cohorts together")]
    value: Annotated[Money, Meta(description="currency units an acct, four decimals")]


class Acct(msgspec.Struct, frozen=True):
    """One acct in one area, since the beginning, not only in the days of the scope."""

    acct: str
    area: str
    plat: str
    pay_amout: Annotated[Money, Meta(description="currency units: how much it paid, ever")]
    pay_count: Annotated[int, Meta(description="payments: how often it paid, ever")]
    pay_days: Annotated[int, Meta(description="days: on how many days it paid")]
    first_pay: Annotated[
        str | None, Meta(description="the first day of a payment, YYYY-MM-DD in the area's time zone")
    ]
    last_pay: Annotated[
        str | None, Meta(description="the last day of a payment, YYYY-MM-DD in the area's time zone")
    ]
    rest_yuanbao: Annotated[int, Meta(description="yuanbao: what its roles have")]
    used_yuanbao: Annotated[int, Meta(description="yuanbao: what it spent, ever")]


class Payment(View, frozen=True, kw_only=True):
    """The page *payment*. ``days`` has every day of the scope."""

    days: list[PayDay]
    total: Annotated[Money, Meta(description="currency units: what was paid in all days of the scope")]
    ltv: Annotated[list[LtvCohort], Meta(description="one curve for each day of the scope with sign-ups")]
    ltv_average: list[LtvAverage]
    top: Annotated[
        list[Acct], Meta(description="who paid most, ever, in these areas: 20 of them; the CSV has all")
    ]
