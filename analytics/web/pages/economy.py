"""*Economy*: coins spent and gained, for what, and what the shop sells."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

import msgspec

from analytics.core.rates import percent
from analytics.web.answers import Date, Final, PageAnswer, Percent, labelled, means
from analytics.web.charts import Chart, Series, chart_of_hours
from analytics.web.csvs import structs
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel, against_day_before
from analytics.web.place import Place, start_of
from analytics.web.reading.arithmetic import counts
from analytics.web.reading.hours import hours_of_two_days
from analytics.web.tables import Table
from analytics.web.translation import Translate

Spent = Annotated[int, means("The coins that were spent.", "Spent")]
Gained = Annotated[int, means("The coins that were gained.", "Gained")]
SpentCount = Annotated[int, means("How often coins were spent.", "Times spent")]
GainCount = Annotated[int, means("How often coins were gained.", "Times gained")]
Spenders = Annotated[
    int,
    means(
        "The accts that spent coins: each counted once in an area and a day, then added up over areas, and over days in totals.",
        "Spenders",
    ),
]


class CoinsDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day."""

    day: Date
    ts: Annotated[int, means("the start of the day in the scope's time zone, Unix seconds")]
    spent: Spent
    spent_count: SpentCount
    gained: Gained
    gain_count: GainCount
    spenders: Spenders
    final: Final


class CoinsHour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the clock, of the last day of the scope and of the day before; null: has not begun."""

    hour: Annotated[str, means("The start of the hour, 00:00 to 23:00, in the time zone that the page names.", "Hour")]  # fmt: skip
    spent_today: Annotated[int | None, means("The coins that were spent in the hour.", "Spent")]
    gained_today: Annotated[int | None, means("The coins that were gained in the hour.", "Gained")]
    spent_yesterday: Annotated[int | None, means("The coins that were spent in that hour of the day before.", "Spent, day before")]  # fmt: skip
    gained_yesterday: Annotated[int | None, means("The coins that were gained in that hour of the day before.", "Gained, day before")]  # fmt: skip


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """All days of the scope, by the reason that the game's log gives."""

    reason: Annotated[str, labelled("Reason")]
    spent: Spent
    spent_count: SpentCount
    gained: Gained
    gain_count: GainCount
    spenders: Spenders
    share: Annotated[Percent, means("The share of all coins that were spent.", "Share")]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """All days of the scope, by item of the shop."""

    item: Annotated[str, labelled("Item")]
    amount: Annotated[int, means("The coins that were paid for the item.", "Coins taken in")]
    num: Annotated[int, means("How many pieces were sold.", "Pieces")]
    count: Annotated[int, means("How often the item was bought.", "Purchases")]
    buyers: Annotated[int, means("The accts that bought the item: each counted once in an area and a day, then added up.", "Buyers")]  # fmt: skip
    share: Annotated[Percent, means("The share of all coins that the shop took in.", "Share")]


class EconomyAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *economy*. Nothing here is distinct over several areas: accts are added up."""

    days: list[CoinsDay]
    hours: list[CoinsHour]
    reasons: Annotated[list[Reason], means("every reason, by what was spent, then gained")]
    items: Annotated[list[Item], means("the 50 items that took in most; the CSV has all")]
    item_count: Annotated[int, means("how many items were sold at all")]


TOP = 50
"""Rows of the table; the CSV has all of them."""

COINS = {
    "amount": "spent",
    "count": "spent_count",
    "gain_amount": "gained",
    "gain_count": "gain_count",
    "users": "spenders",
}
"""The fields of documents that are added up, and what answers call them."""

SOLD = {"amount": "amount", "num": "num", "count": "count", "users": "buyers"}
NO_COINS = (0,) * len(COINS)


def view(data: Data, filters: Filters) -> EconomyAnswer:
    look = Look(data, data.place(filters))
    by_day = look.by_day("coinday", list(COINS))
    hours = hours_of_two_days(look, "coinhour", {"spent": "amount", "gained": "gain_amount"})
    sold = items(look)
    return EconomyAnswer(
        days=[_day(look.place, day, by_day.get(day, NO_COINS)) for day in look.place.days()],
        hours=[CoinsHour(**one) for one in hours],
        reasons=_reasons(look),
        items=sold[:TOP],
        item_count=len(sold),
        scope=look.place.scope(),
        at=look.at,
    )


def items(look: Look) -> list[Item]:
    """Return every item that was sold, what took in most first."""
    total = look.sums("shop", ["item"], list(SOLD))
    taken = sum(int(sums[0]) for sums in total.values())
    found = [
        Item(item=str(item), share=percent(int(sums[0]), taken), **counts(SOLD, sums))
        for (item,), sums in total.items()
    ]
    return sorted(found, key=lambda one: (-one.amount, one.item))


def _day(place: Place, day: date, sums: Sequence[float]) -> CoinsDay:
    coins = counts(COINS, sums)
    return CoinsDay(day=str(day), ts=start_of(place.local, day), final=place.ended(day), **coins)


def _reasons(look: Look) -> list[Reason]:
    total = look.sums("cointype", ["reason"], list(COINS))
    spent = sum(int(sums[0]) for sums in total.values())
    found = [
        Reason(reason=str(reason), share=percent(int(sums[0]), spent), **counts(COINS, sums))
        for (reason,), sums in total.items()
    ]
    return sorted(found, key=lambda one: (-one.spent, -one.gained, one.reason))


def _items_shown(answer: EconomyAnswer, t: Translate) -> str:
    return t("{shown} of {all} items, in all these days", shown=len(answer.items), all=answer.item_count)


DAYS = Table("days", "Days", CoinsDay, "day spent gained spent_count gain_count spenders", has_final=True)
HOURS = Table("hours", "By hour", CoinsHour, "hour spent_today spent_yesterday gained_today gained_yesterday")
REASONS = Table("reasons", "Coins by reason", Reason, "reason spent share gained spent_count gain_count spenders", bars="spent gained")  # fmt: skip
ITEMS = Table("items", "Best-selling items", Item, "item amount share num count buyers", bars="amount")
COINS_BY_DAY = Chart("coins", "Coins by day", "day", (Series("spent", "Spent", 1), Series("gained", "Gained", 2)), form="beside")  # fmt: skip
COINS_BY_HOUR = chart_of_hours("coin_hours", "Coins by hour", ("spent", "Spent", 1), ("gained", "Gained", 2))

PAGE = DashboardPage(
    name="economy",
    title="Economy",
    answer=EconomyAnswer,
    view=view,
    icon="M8 2c3.3 0 5.5 1 5.5 2.3S11.3 6.6 8 6.6 2.5 5.6 2.5 4.3 4.7 2 8 2zM2.5 4.3v7.4C2.5 13 4.7 14 8 14s5.5-1 5.5-2.3V4.3"
    "M2.5 8c0 1.3 2.2 2.3 5.5 2.3S13.5 9.3 13.5 8",
    tables=(DAYS, HOURS, REASONS, ITEMS),
    panels=(
        Panel(DAYS, COINS_BY_DAY, "half"),
        Panel(HOURS, COINS_BY_HOUR, "half", note=against_day_before),
        Panel(REASONS, note="in all these days"),
        Panel(ITEMS, note=_items_shown),
    ),
    csvs={"items": lambda data, filters: structs(Item, items(Look(data, data.place(filters))))},
)
