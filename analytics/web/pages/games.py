"""*Games*: every game in a row, each with its own days and currency, and their activity in one chart."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analytics.config.currencies import sign
from analytics.web.answers import Change, Date, Final, Money, PerHead, filled, labelled, means
from analytics.web.charts import Chart, Series, numbered
from analytics.web.data import Data
from analytics.web.display import money
from analytics.web.filters import DEFAULT_DAYS, MOST_DAYS, Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel
from analytics.web.place import NothingThere
from analytics.web.reading.arithmetic import change
from analytics.web.reading.figures import NOTHING, Figures, figures
from analytics.web.reading.hours import change_until_now, hours_of_two_days
from analytics.web.tables import Table
from analytics.web.translation import Translate, msg

LINES = 6
"""Games in the chart: those with the most active accts, one for each colour."""


class GamesOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which days are shown."""

    days: Annotated[int, Meta(ge=2, le=MOST_DAYS, description="how many days")] = DEFAULT_DAYS
    to: Annotated[str, means("the last day, YYYY-MM-DD; left out: each game's newest day with records")] = ""


class GameRow(msgspec.Struct, frozen=True, kw_only=True):
    """One game. Accts are distinct over all its areas; days are those of its own time zone."""

    game: Annotated[str, labelled("Game", "text")]
    currency: Annotated[str, means('the sign of its money; "": none is configured')]
    day: Date
    dau: Annotated[int, means("The accts that logged in on the day, each counted once.", "DAU")]
    change: Annotated[
        Change | None,
        means(
            "By how many percent the last day's active accts exceed those of the day before. While the day goes on: by how many percent the "
            "log-ins of its hours that have ended exceed those of the same hours of the day before. Nothing if those were 0.",
            "Change",
        ),
    ]  # fmt: skip
    mau: Annotated[int, means("The accts that logged in on the day or the 29 days before, each counted once.", "MAU")]  # fmt: skip
    reg: Annotated[int, means("The accts that signed up on the day, each counted once.", "Sign-ups")]
    payers: Annotated[int, means("The accts that paid on the day, each counted once.", "Payers")]
    revenue: Annotated[Money, means("All money that was paid on the day, less refunds.", "Revenue")]
    arppu: Annotated[PerHead, means("The day's revenue divided by its payers.", "ARPPU")]
    revenue_sum: Annotated[
        Money, means("All money that was paid on the days shown, less refunds.", "Revenue of all days")
    ]
    excluded: Annotated[
        int,
        means("the most accts that were excluded on one of the days shown, each counted once in each area"),
    ]
    final: Final


class GamesDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day of the games of the chart: the active accts of each."""

    day: str
    values: Annotated[
        list[int | None], means("in the order of `lines`; null: not one of that game's days shown")
    ]


class GamesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The page *games*. It is about all games that you see; each has its own time zone, so it has no scope."""

    at: float
    games: Annotated[list[GameRow], means("those with the most active accts first")]
    day_count: Annotated[int, means("how many days of each game are shown")]
    lines: Annotated[list[str], means("the games of the chart")]
    days: Annotated[list[GamesDay], means("the active accts of these games by day")]


def view(data: Data, filters: Filters, options: GamesOptions = GamesOptions()) -> GamesAnswer:
    """Return a row for each game, and the activity of the most active ones by day."""
    names = list(dict.fromkeys(area.game for area in data.areas.values()))
    if not names:
        raise NothingThere(
            "no game has areas yet: describe games and areas in the configuration, and start the dashboard again"
        )
    looks = [_look(data, name, options) for name in names]
    read = [(look, figures(look)) for look in looks]
    read.sort(key=lambda one: (-one[1].get(one[0].place.last, NOTHING).dau, one[0].place.game))
    drawn = read[:LINES]
    return GamesAnswer(
        at=min(look.at for look in looks),
        games=[_row(data, *one) for one in read],
        day_count=options.days,
        lines=[look.place.game for look, _ in drawn],
        days=list(_days(drawn)),
    )


def _look(data: Data, game: str, options: GamesOptions) -> Look:
    """Return a look at the days of a game, by default up to its newest one with records."""
    end = Filters.parse({"game": [game], "to": [options.to]})
    last = data.place(end).last
    begin = last - timedelta(days=options.days - 1)
    return Look(data, data.place(Filters(game=game, since=begin, until=last)))


def _row(data: Data, look: Look, by_day: dict[date, Figures]) -> GameRow:
    place = look.place
    last, before = (by_day.get(place.last - timedelta(days=n), NOTHING) for n in range(2))
    final = place.ended(place.last)
    return filled(
        GameRow,
        last,
        game=place.game,
        currency=sign(data.config.games[place.game]),
        day=str(place.last),
        change=change(last.dau, before.dau) if final else _change_until_now(look),
        revenue_sum=round(sum(one.revenue for one in by_day.values()), 2),
        excluded=place.excluded,
        final=final,
    )


def _change_until_now(look: Look) -> float | None:
    hours = hours_of_two_days(look, "loginhour", {"logins": "count"})
    return change_until_now((one["logins_today"], one["logins_yesterday"]) for one in hours)


def _days(drawn: Sequence[tuple[Look, dict[date, Figures]]]) -> Iterator[GamesDay]:
    every = sorted({day for look, _ in drawn for day in look.place.days()})
    for day in every:
        yield GamesDay(
            day=str(day),
            values=[
                by_day.get(day, NOTHING).dau if look.place.first <= day <= look.place.last else None
                for look, by_day in drawn
            ],
        )


def _context(answer: GamesAnswer, t: Translate) -> dict[str, Any]:
    return {"paid": lambda row, name: money(getattr(row, name), row.currency)}


GAMES = Table("games", "Games", GameRow, "game day dau change mau reg payers revenue arppu revenue_sum", has_final=True)  # fmt: skip
ACTIVE = Chart(
    "active_games",
    msg("Active accts by game"),
    "day",
    tuple(Series(f"v{n}", "", n + 1) for n in range(LINES)),
    rows=lambda answer: [numbered(one, one.values, LINES) for one in answer.days],
    names=lambda answer, t: answer.lines,
)

PAGE = DashboardPage(
    name="games",
    title="Games",
    answer=GamesAnswer,
    view=view,
    icon="M5 5h6a3 3 0 0 1 3 3v2a2 2 0 0 1-3.6 1.2L10 10H6l-.4 1.2A2 2 0 0 1 2 10V8a3 3 0 0 1 3-3zM5 8h2M6 7v2",
    options=GamesOptions,
    tables=(GAMES,),
    panels=(Panel(GAMES, ACTIVE),),
    template="games.html",
    context=_context,
    has_filter=False,
)
