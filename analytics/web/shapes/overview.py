"""The page *overview*: today and yesterday, a month of activity, and the hours of two days."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analytics.web.shapes.common import Date, Final, Money, View

TileName = Literal["dau", "reg", "payers", "revenue", "arpu", "arppu"]
Change = Annotated[
    float | None,
    Meta(description="percent by which it is above (or below) the day before; null where that was 0"),
]


class Tile(msgspec.Struct, frozen=True):
    """One number of the newest day looked at and of the day before it."""

    name: TileName
    unit: Annotated[str, Meta(description='"accts", "currency units" or "currency units an acct"')]
    definition: Annotated[str, Meta(description="what the number means, as docs/metrics.md has it")]
    today: Annotated[
        float, Meta(description="its value on the last day of the scope, so far if that has not ended")
    ]
    yesterday: Annotated[float, Meta(description="its value on the day before")]
    change: Change
    yesterday_change: Change
    final: Annotated[bool, Meta(description="whether the last day of the scope has ended")]
    yesterday_final: Annotated[bool, Meta(description="whether the day before has ended")]


class Day(msgspec.Struct, frozen=True):
    """One day. Accts are counted as the scope's ``basis`` says."""

    day: Date
    ts: Annotated[int, Meta(description="the start of the day in the scope's time zone, Unix seconds")]
    dau: Annotated[int, Meta(description="accts: distinct accts that logged in on the day")]
    new_users: Annotated[int, Meta(description="accts: those of `dau` that signed up the same day")]
    old_users: Annotated[int, Meta(description="accts: the rest of `dau`")]
    wau: Annotated[
        int, Meta(description="accts: distinct accts that logged in on the day or the 6 days before")
    ]
    mau: Annotated[
        int, Meta(description="accts: distinct accts that logged in on the day or the 29 days before")
    ]
    stickiness: Annotated[float, Meta(description="quotient: dau ÷ mau, four decimals")]
    reg: Annotated[int, Meta(description="accts: distinct accts that signed up on the day")]
    payers: Annotated[int, Meta(description="accts: distinct accts that paid on the day")]
    revenue: Annotated[Money, Meta(description="currency units: what they paid that day")]
    arpu: Annotated[Money, Meta(description="currency units an acct: revenue ÷ dau, four decimals")]
    arppu: Annotated[Money, Meta(description="currency units an acct: revenue ÷ payers, four decimals")]
    final: Final


class Hour(msgspec.Struct, frozen=True):
    """One hour of the clock, of the last day of the scope and of the day before.

    A day with a change of clocks has an hour that is missing (null) or comes twice. Accts are distinct in an area and
    hour, and added up over areas.
    """

    hour: Annotated[str, Meta(description='when it begins, "00:00" … "23:00", in the scope\'s time zone')]
    logins_today: Annotated[
        int | None, Meta(description="accts: who logged in during the hour; null: has not begun")
    ]
    logins_yesterday: Annotated[
        int | None, Meta(description="accts: who logged in during that hour of the day before")
    ]
    signups_today: Annotated[
        int | None, Meta(description="accts: who signed up during the hour; null: has not begun")
    ]
    signups_yesterday: Annotated[
        int | None, Meta(description="accts: who signed up in that hour of the day before")
    ]


class Overview(View, frozen=True, kw_only=True):
    """The page *overview*. ``days`` has every day of the scope, also those of which there is nothing."""

    tiles: list[Tile]
    days: list[Day]
    hours: list[Hour]
