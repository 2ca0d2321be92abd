"""Annotations: what happened on a day, marked on the charts of a game."""

import re
from collections.abc import Callable, Container, Mapping
from datetime import date
from typing import Annotated, Any, Literal, get_args

import msgspec

from analytics.config import Config
from analytics.core.areas import Area, Areas
from analytics.web.answers import Date, labelled, means
from analytics.web.charts import ChartMark
from analytics.web.entries.collection import Entries, UserEntry, random_id
from analytics.web.filters import (
    FIRST_DAY,
    LAST_DAY,
    UNKNOWN,
    BadFilter,
    Filters,
    choice,
    day,
    expect_known,
    one,
)
from analytics.web.place import Place, members_of
from analytics.web.translation import Translate, msg

MOST_TEXT = 200
"""Characters of a text: it is shown where a reader points."""

Kind = Literal["release", "outage", "event", "other"]
KINDS: Mapping[Kind, str] = {
    "release": msg("Release"), "outage": msg("Outage"), "event": msg("Event"), "other": msg("Other")
}  # fmt: skip
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Annotation(UserEntry, frozen=True, kw_only=True):
    """What happened on a day: in a whole game, a plat, or an area."""

    collection = "annotations"
    game: str
    plat: Annotated[str, means('the plat that it concerns; "": all')] = ""
    area: Annotated[str, means("The area that it concerns; nothing: all of the game or plat.", "Area")] = ""
    day: Date
    time: Annotated[str, means("The time of day, HH:MM; nothing: the whole day.", "Time", "text")] = ""
    kind: Annotated[Kind, labelled("Kind", "text")] = "other"
    text: Annotated[str, means("What happened.", "What happened")]
    by: Annotated[str, means("The user or API token that entered it; nothing where nobody logs in.", "By")] = ""  # fmt: skip
    at: Annotated[float, means("when it was entered, Unix seconds")] = 0.0


def new_annotation(
    given: Mapping[str, Any], areas: Areas, today: Callable[[str], date], by: str, at: float
) -> Annotation:
    """Return the annotation that a form, a request or a command describes.

    Args:
        given: texts by the names of its fields: ``text`` is required; ``game``, ``plat``, ``area`` choose as a filter does.
        today: the present day of a game, for one without ``day``.

    Raises:
        BadFilter: a field can't be used; the message names it.
    """
    texts = {name: [str(value)] for name, value in given.items()}
    known = ("game", "plat", "area", "day", "time", "kind", "text")
    for name in texts:
        expect_known(UNKNOWN, name, known)
    text, time = one(texts, "text").strip(), one(texts, "time")
    if not 0 < len(text) <= MOST_TEXT or not text.isprintable():
        raise BadFilter(
            "text: expected 1 to {most} characters in one line, got {n}", most=MOST_TEXT, n=len(text)
        )
    if time and not _TIME.fullmatch(time):
        raise BadFilter('time: expected a time of day like 14:30, got "{value}"', value=time[:40])
    filters = Filters(one(texts, "game"), one(texts, "plat"), tuple(filter(None, [one(texts, "area")])))
    game, _ = members_of(list(areas.values()), filters)
    chosen = day(texts, "day") or today(game)
    kind: Any = choice(texts, "kind", get_args(Kind), "other")
    return Annotation(
        id=f"{game}:{chosen}:{random_id()}", game=game, plat=filters.plat, area="".join(filters.areas),
        day=str(chosen), time=time, kind=kind, text=text, by=by, at=at,
    )  # fmt: skip


def of_days(
    store: Any, game: str, areas: Mapping[str, Area], first: date = FIRST_DAY, last: date = LAST_DAY
) -> list[Annotation]:
    """Return the annotations of these days that concern all of a game, or any of ``areas``, in order."""
    begin = len(f"{game}:")
    plats = {area.plat for area in areas.values()}

    def wanted(id: str) -> bool:
        return str(first) <= id[begin : begin + 10] <= str(last)

    found = Entries(store, Annotation).find(f"{game}:", wanted)
    concerned = [
        one
        for one in found
        if one.game == game and (one.area in areas if one.area else one.plat in ("", *plats))
    ]
    return sorted(concerned, key=lambda one: (one.day, one.time, one.at))


def of_place(store: Any, place: Place) -> list[Annotation]:
    return of_days(store, place.game, {area.id: area for area in place.members}, place.first, place.last)


def mergers(
    config: Config, game: str, areas: Container[str], first: date, last: date, t: Translate
) -> list[Annotation]:
    """Return the mergers of these days that concern any of ``areas``; charts mark them as well."""
    known = config.games[game].areas
    return [
        Annotation(
            id=f"{game}:{one.merged_on}:{id}",
            game=game,
            area=one.merged_into,
            day=one.merged_on,
            kind="event",
            text=t(
                "{area} merged into {other}",
                area=one.name or one.server_name or id,
                other=known[one.merged_into].name or known[one.merged_into].server_name or one.merged_into,
            ),
        )
        for id, one in known.items()
        if str(first) <= one.merged_on <= str(last) and (id in areas or one.merged_into in areas)
    ]


def mark(annotation: Annotation) -> ChartMark:
    """Return how a chart shows it."""
    return ChartMark(annotation.day, annotation.time, annotation.text)


class AnnotationDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An annotation as the API takes it."""

    text: Annotated[
        str, msgspec.Meta(min_length=1, max_length=MOST_TEXT, description="what happened, one line")
    ]
    game: Annotated[
        str, means("the game; left out: that of the area, else the first of the configuration")
    ] = ""
    plat: Annotated[str, means("only areas of this plat")] = ""
    area: Annotated[str, means("only this area")] = ""
    day: Annotated[str, means("YYYY-MM-DD; left out: the present day of the game")] = ""
    time: Annotated[str, means("HH:MM; left out: the whole day")] = ""
    kind: Annotated[Kind, means("what kind of thing happened")] = "other"
