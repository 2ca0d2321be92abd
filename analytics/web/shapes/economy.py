"""The page *economy*: virtual coins (yuanbao) spent and gained, for what, and what the shop sells."""

from typing import Annotated

import msgspec
from msgspec import Meta

from analytics.web.shapes.common import Date, Final, Percent, View

Spent = Annotated[int, Meta(description="yuanbao: coins spent, written without the minus")]
Gained = Annotated[int, Meta(description="yuanbao: coins gained")]
SpentCount = Annotated[int, Meta(description="records: how often coins were spent")]
GainCount = Annotated[int, Meta(description="records: how often coins were gained")]
Spenders = Annotated[
    int,
    Meta(
        description="accts: distinct spenders in an area and day, added up over areas (and days, in totals)"
    ),
]


class CoinsDay(msgspec.Struct, frozen=True):
    """One day."""

    day: Date
    ts: Annotated[int, Meta(description="the start of the day in the scope's time zone, Unix seconds")]
    spent: Spent
    spent_count: SpentCount
    gained: Gained
    gain_count: GainCount
    spenders: Spenders
    final: Final


class CoinsHour(msgspec.Struct, frozen=True):
    """One hour of the clock, of the last day of the scope and of the day before; null: has not begun."""

    hour: Annotated[str, Meta(description='when it begins, "00:00" … "23:00", in the scope\'s time zone')]
    spent_today: Annotated[int | None, Meta(description="yuanbao spent in the hour")]
    gained_today: Annotated[int | None, Meta(description="yuanbao gained in the hour")]
    spent_yesterday: Annotated[int | None, Meta(description="yuanbao spent in that hour of the day before")]
    gained_yesterday: Annotated[int | None, Meta(description="yuanbao gained in that hour of the day before")]


class Reason(msgspec.Struct, frozen=True):
    """All days of the scope, by the reason that the game's log gives."""

    reason: str
    spent: Spent
    spent_count: SpentCount
    gained: Gained
    gain_count: GainCount
    spenders: Spenders
    share: Annotated[Percent, Meta(description="percent of all that was spent, two decimals")]


class Item(msgspec.Struct, frozen=True):
    """All days of the scope, by item of the shop."""

    item: str
    amount: Annotated[int, Meta(description="yuanbao: what was paid for it")]
    num: Annotated[int, Meta(description="pieces sold")]
    count: Annotated[int, Meta(description="records: purchases")]
    buyers: Annotated[
        int, Meta(description="accts: distinct buyers in an area and day, added up over areas and days")
    ]
    share: Annotated[Percent, Meta(description="percent of all that the shop took in, two decimals")]


class Economy(View, frozen=True, kw_only=True):
    """The page *economy*. Nothing here is distinct over several areas: accts are added up."""

    days: list[CoinsDay]
    hours: list[CoinsHour]
    reasons: Annotated[list[Reason], Meta(description="every reason, by what was spent, then gained")]
    items: Annotated[list[Item], Meta(description="the 50 items that took in most; the CSV has all")]
    item_count: Annotated[int, Meta(description="how many items were sold at all")]
