"""*Online*: how many players are online at the same time, by day and by hour, and how long they play."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any

import msgspec

from analytics.store.store import Document
from analytics.timers.sessions import median
from analytics.web.answers import Date, Final, PageAnswer, means
from analytics.web.charts import Chart, Series, chart_of_hours
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel, against_day_before
from analytics.web.place import ONE_DAY
from analytics.web.reading.hours import clock_hours
from analytics.web.tables import Table
from analytics.web.translation import Translate


class OnlineDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day; null: nothing is known, or it can't be said of several areas together."""

    day: Date
    acu: Annotated[float | None, means("The players online on average, over the minutes in which the number is known.", "ACU", "decimal")]  # fmt: skip
    pcu: Annotated[int | None, means("The most players online at the same time: of a plat or game the peak of the sum over its areas.", "PCU")]  # fmt: skip
    peak_at: Annotated[str | None, means("When the first minute with that number began, in the time zone that the page names.", "Peak at", "text")]  # fmt: skip
    minutes: Annotated[int | None, means("The minutes of the day in which the number of players is known.", "Minutes known")]  # fmt: skip
    final: Final


class OnlineHour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the clock, of the last day of the scope and of the day before; null: nothing is known."""

    hour: Annotated[str, means("The start of the hour, 00:00 to 23:00, in the time zone that the page names.", "Hour")]  # fmt: skip
    acu_today: Annotated[float | None, means("The players online on average in the hour.", "ACU", "decimal")]
    pcu_today: Annotated[int | None, means("The most players online at the same time in the hour.", "PCU")]
    acu_yesterday: Annotated[float | None, means("The players online on average in that hour of the day before.", "ACU, day before", "decimal")]  # fmt: skip
    pcu_yesterday: Annotated[int | None, means("The most players online at the same time in that hour of the day before.", "PCU, day before")]  # fmt: skip


class SessionDay(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that began on a day: of several areas added up."""

    day: Date
    sessions: Annotated[int, means("The sessions that began on the day.", "Sessions")]
    accts: Annotated[int, means("The accts that had these sessions.", "Accts")]
    median_minutes: Annotated[int | None, means("Half of the sessions were no longer than so many minutes, rounded up; null: none has ended.", "Median minutes")]  # fmt: skip
    playtime: Annotated[float, means("The minutes that an acct played on average, in these sessions.", "Minutes per acct", "decimal")]  # fmt: skip
    hours: Annotated[float, means("The hours of all these sessions together.", "Hours in all", "decimal")]
    open: Annotated[int, means("Those of the sessions that have not ended; their lengths do not count yet.", "Not ended")]  # fmt: skip
    ended_by_login: Annotated[int, means("Sessions without a logout, ended by the next login of the acct.", "Ended by login")]  # fmt: skip
    ended_by_limit: Annotated[int, means("Sessions without a logout, ended by the limit of the configuration.", "Ended by limit")]  # fmt: skip
    final: Final


class OnlineAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *online*. Of several areas that were chosen no players online are known: choose one area, a plat or a game."""

    days: Annotated[list[OnlineDay], means("every day of the scope")]
    hours: Annotated[list[OnlineHour], means("every hour of the clock that has begun")]  # fmt: skip
    sessions: Annotated[list[SessionDay], means("every day of the scope")]


def view(data: Data, filters: Filters) -> OnlineAnswer:
    look = Look(data, data.place(filters))
    is_one = look.place.basis != "sum"
    days = look.own("onlineday", ["acu", "pcu", "pcu_ts", "minutes"]) if is_one else {}
    last_two = look.documents("onlineday", ["hours"], look.place.last - ONE_DAY) if is_one else ()
    return OnlineAnswer(
        days=[_day(look, day, days.get(day, {})) for day in look.place.days()],
        hours=list(_hours(look, {day: document for document, day in last_two})),
        sessions=list(_sessions(look)),
        scope=look.place.scope(),
        at=look.at,
    )


def _day(look: Look, day: date, document: Document) -> OnlineDay:
    known = bool(document.get("minutes"))
    return OnlineDay(
        day=str(day),
        acu=document["acu"] if known else None,
        pcu=document["pcu"] if known else None,
        peak_at=f"{look.place.local.local(document['pcu_ts']):%H:%M}" if known else None,
        minutes=document["minutes"] if known else None,
        final=look.place.ended(day),
    )


def _hours(look: Look, documents: Mapping[date, Document]) -> Iterator[OnlineHour]:
    for label, *starts in clock_hours(look.place):
        row: dict[str, Any] = {}
        days = (("today", look.place.last), ("yesterday", look.place.last - ONE_DAY))
        for (which, day), start in zip(days, starts, strict=True):
            known = documents.get(day, {}).get("hours", {}).get(str(start), {})
            row |= {f"{name}_{which}": known.get(name) for name in ("acu", "pcu")}
        yield OnlineHour(hour=label, **row)


def _sessions(look: Look) -> Iterator[SessionDay]:
    sums, lengths = defaultdict[date, Counter[str]](Counter), defaultdict[date, Counter[int]](Counter)
    for document, day in look.documents("sessionday", [*ADDED, "lengths"]):
        sums[day].update({name: document[name] for name in ADDED})
        lengths[day].update({int(upto): count for upto, count in document["lengths"].items()})
    for day in look.place.days():
        of_day = {name: sums[day][name] for name in ADDED}
        seconds = of_day.pop("seconds")
        yield SessionDay(
            day=str(day),
            median_minutes=median(dict(sorted(lengths[day].items()))),
            playtime=round(seconds / (60 * of_day["accts"]), 1) if seconds else 0,
            hours=round(seconds / 3600, 1),
            final=look.place.ended(day + ONE_DAY),
            **of_day,
        )


def _basis(answer: OnlineAnswer, t: Translate) -> str:
    if answer.scope.basis == "sum":
        return t("not known of several areas together; choose one area, a plat or a game")
    return t("head counts that game servers report; ACU: average, PCU: peak")


DAYS = Table("days", "Players online", OnlineDay, "day acu pcu peak_at minutes", has_final=True)
HOURS = Table("hours", "By hour", OnlineHour, "hour acu_today pcu_today acu_yesterday pcu_yesterday")
ADDED = ("sessions", "accts", "seconds", "open", "ended_by_login", "ended_by_limit")
SESSIONS = Table(
    "sessions",
    "Sessions",
    SessionDay,
    "day sessions accts median_minutes playtime hours open ended_by_login ended_by_limit",
    has_final=True,
)
LENGTHS = Chart(
    "session_minutes",
    "Time played",
    "day",
    (
        Series("playtime", "Minutes per acct", 1, "decimal"),
        Series("median_minutes", "Median minutes of a session", 2),
    ),
    rows=lambda answer: answer.sessions,
)
BY_DAY = Chart("online", "Players online by day", "day", (Series("pcu", "PCU", 1), Series("acu", "ACU", 2)))
BY_HOUR = chart_of_hours("online_hours", "Players online by hour", ("pcu", "PCU", 1), ("acu", "ACU", 2))

PAGE = DashboardPage(
    name="online",
    title="Online",
    answer=OnlineAnswer,
    view=view,
    icon="M1 12a7 7 0 0 1 14 0M4 12a4 4 0 0 1 8 0M8 11.2a.8.8 0 1 0 0 1.6a.8.8 0 0 0 0-1.6z",
    tables=(DAYS, HOURS, SESSIONS),
    panels=(
        Panel(DAYS, BY_DAY, "half", note=_basis),
        Panel(HOURS, BY_HOUR, "half", note=against_day_before),
        Panel(SESSIONS, LENGTHS, note="by the day on which they began; final when the next day has ended"),
    ),
)
