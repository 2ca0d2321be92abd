"""*Overview*: today and yesterday, a month of activity, and the hours of two days."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

import msgspec

from analytics.web.answers import (
    Change,
    Date,
    Final,
    Money,
    PageAnswer,
    PerHead,
    Quotient,
    definition,
    filled,
    means,
)
from analytics.web.charts import Chart, Series
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel, against_day_before
from analytics.web.place import ONE_DAY, Place, start_of
from analytics.web.reading.arithmetic import change
from analytics.web.reading.figures import NOTHING, Figures, figures
from analytics.web.reading.hours import change_until_now, hours_of_two_days
from analytics.web.tables import ACCTS, Table
from analytics.web.translation import Translate, msg

TileName = Literal["dau", "reg", "payers", "revenue", "arpu", "arppu"]
FromDayBefore = Annotated[
    Change | None, means("percent by which it is above (or below) the day before; null where that was 0")
]


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One number of the newest day looked at and of the day before it."""

    name: TileName
    unit: Annotated[str, means('"accts", "currency units" or "currency units an acct"')]
    definition: Annotated[str, means("what the number means")]
    today: Annotated[float, means("its value on the last day of the scope, so far if that has not ended")]
    yesterday: Annotated[float, means("its value on the day before")]
    change: FromDayBefore
    yesterday_change: FromDayBefore
    final: Annotated[bool, means("whether the last day of the scope has ended")]
    yesterday_final: Annotated[bool, means("whether the day before has ended")]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day. Accts are counted as the scope's ``basis`` says."""

    day: Date
    ts: Annotated[int, means("the start of the day in the scope's time zone, Unix seconds")]
    dau: Annotated[int, means("The accts that logged in on the day, each counted once.", "DAU")]
    new_users: Annotated[int, means("Those of the active accts that signed up on the same day.", "New")]
    old_users: Annotated[int, means("Those of the active accts that had signed up before that day.", "Old")]
    wau: Annotated[int, means("The accts that logged in on the day or the 6 days before, each counted once.", "WAU")]  # fmt: skip
    mau: Annotated[int, means("The accts that logged in on the day or the 29 days before, each counted once.", "MAU")]  # fmt: skip
    stickiness: Annotated[Quotient, means("The day's active accts divided by those of the 30 days up to it.", "DAU ÷ MAU")]  # fmt: skip
    reg: Annotated[int, means("The accts that signed up on the day, each counted once.", "Sign-ups")]
    payers: Annotated[int, means("The accts that paid on the day, each counted once.", "Payers")]
    revenue: Annotated[Money, means("All money that was paid on the day, less refunds.", "Revenue")]
    arpu: Annotated[PerHead, means("The day's revenue divided by its active accts.", "ARPU")]
    arppu: Annotated[PerHead, means("The day's revenue divided by its payers.", "ARPPU")]
    final: Final


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the clock, of the last day of the scope and of the day before.

    A day with a change of clocks has an hour that is missing (null) or comes twice. Accts are distinct in an area and
    hour, and added up over areas.
    """

    hour: Annotated[str, means("The start of the hour, 00:00 to 23:00, in the time zone that the page names.", "Hour")]  # fmt: skip
    logins_today: Annotated[int | None, means("The accts that logged in during the hour; nothing if it has not begun.", "Log-ins")]  # fmt: skip
    logins_yesterday: Annotated[int | None, means("The accts that logged in during that hour of the day before.", "Log-ins, day before")]  # fmt: skip
    signups_today: Annotated[int | None, means("The accts that signed up during the hour; nothing if it has not begun.", "Sign-ups")]  # fmt: skip
    signups_yesterday: Annotated[
        int | None,
        means("The accts that signed up during that hour of the day before.", "Sign-ups, day before"),
    ]


class OverviewAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *overview*. ``days`` has every day of the scope, also those of which there is nothing."""

    tiles: list[Tile]
    days: list[Day]
    hours: Annotated[list[Hour], means("of all accts; none where a segment is asked for")]


TILES: tuple[tuple[TileName, str], ...] = (
    ("dau", "accts"),
    ("reg", "accts"),
    ("payers", "accts"),
    ("revenue", "currency units"),
    ("arpu", "currency units an acct"),
    ("arppu", "currency units an acct"),
)


def view(data: Data, filters: Filters) -> OverviewAnswer:
    place = data.place(filters)
    # The tiles compare with the two days before the last, whatever the first day is.
    wider = Look(data, replace(place, first=min(place.first, place.last - 2 * ONE_DAY)))
    by_day = figures(wider)
    new = {day: int(count) for day, (count,) in wider.by_day("activeday", ["new_ac_user"]).items()}
    days = [_day(place, day, by_day.get(day, NOTHING), new.get(day, 0)) for day in place.days()]
    hours = [] if place.value else list(_hours(wider))
    return OverviewAnswer(
        scope=place.scope(), at=wider.at, tiles=list(_tiles(place, by_day)), days=days, hours=hours
    )


def _hours(look: Look) -> Iterator[Hour]:
    logins = hours_of_two_days(look, "loginhour", {"logins": "count"})
    signups = hours_of_two_days(look, "signuphour", {"signups": "count"})
    for one, other in zip(logins, signups, strict=True):
        yield Hour(**one | other)


def _day(place: Place, day: date, one: Figures, new: int) -> Day:
    return filled(
        Day,
        one,
        day=str(day),
        ts=start_of(place.local, day),
        new_users=new,
        old_users=max(0, one.dau - new),
        final=place.ended(day),
    )


def _tiles(place: Place, by_day: dict[date, Figures]) -> Iterator[Tile]:
    days = [place.last - n * ONE_DAY for n in range(3)]
    for name, unit in TILES:
        today, yesterday, before = (getattr(by_day.get(day, NOTHING), name) for day in days)
        yield Tile(
            name=name,
            unit=unit,
            definition=definition(Day, name),
            today=today,
            yesterday=yesterday,
            change=change(today, yesterday),
            yesterday_change=change(yesterday, before),
            final=place.ended(days[0]),
            yesterday_final=place.ended(days[1]),
        )


DAYS = Table(
    "days",
    "Days",
    Day,
    "day dau new_users old_users reg wau mau stickiness payers revenue arpu arppu",
    has_final=True,
    lists=ACCTS,
)
HOURS = Table("hours", "By hour", Hour, "hour logins_today logins_yesterday signups_today signups_yesterday")


def _context(answer: OverviewAnswer, t: Translate) -> dict[str, Any]:
    """Return how the tiles are written: their names, the kind of their values, and how the day compares so far."""
    until, changes = until_now(answer.hours)
    return {
        "tile_names": {column.field: column.label for column in DAYS.columns} | {"reg": msg("New users")},
        "tile_kinds": {column.field: column.kind for column in DAYS.columns},
        "until": until,
        "until_now": changes,
    }


def until_now(hours: list[Hour]) -> tuple[str, dict[str, float | None]]:
    """Return when the last hour began, and by how many percent the hours before it exceed those of the day before.

    What is known by hour are log-ins, for the tile ``dau``, and sign-ups, for ``reg``.
    """
    begun = [hour for hour in hours if hour.logins_today is not None]
    if len(begun) < 2:  # no hour has ended
        return "", {}
    logins = change_until_now((hour.logins_today, hour.logins_yesterday) for hour in hours)
    signups = change_until_now((hour.signups_today, hour.signups_yesterday) for hour in hours)
    return begun[-1].hour, {"dau": logins, "reg": signups}


ACTIVE = Chart("active", "Active users", "day", (Series("old_users", "Old", 1), Series("new_users", "New", 2)), form="stacked")  # fmt: skip
REVENUE = Chart("revenue", "Revenue", "day", (Series("revenue", "Revenue", 1, "money"),), form="stacked")
LOGINS = Chart(
    "logins",
    "Log-ins by hour",
    "hour",
    (Series("logins_today", "Newest day", 1), Series("logins_yesterday", "Day before", 6, faint=True)),
)
SIGNUPS = Chart(
    "signups",
    "Sign-ups by hour",
    "hour",
    (Series("signups_today", "Newest day", 2), Series("signups_yesterday", "Day before", 6, faint=True)),
)
REACH = Chart(
    "reach",
    "Active in a day, a week, a month",
    "day",
    (Series("mau", "MAU", 5), Series("wau", "WAU", 3), Series("dau", "DAU", 1)),
)

_of_hours = partial(Panel, width="half", height="low", note=against_day_before, of_all=True)

PAGE = DashboardPage(
    name="overview",
    title="Overview",
    answer=OverviewAnswer,
    view=view,
    has_segments=True,
    icon="M2 2h5v6H2zM9 2h5v3H9zM9 7h5v7H9zM2 10h5v4H2z",
    tables=(DAYS, HOURS),
    panels=(
        Panel(DAYS.only("dau", "new_users", "old_users"), ACTIVE, "two-thirds"),
        Panel(DAYS.only("revenue", "payers"), REVENUE, "third"),
        _of_hours(HOURS.only("logins_today", "logins_yesterday"), LOGINS),
        _of_hours(HOURS.only("signups_today", "signups_yesterday"), SIGNUPS),
        Panel(DAYS, REACH),
    ),
    template="overview.html",
    context=_context,
)
