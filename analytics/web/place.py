"""Where and when a view looks: a filter's areas and days, with every default filled in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, lru_cache

from analytics.core.areas import Area
from analytics.core.periods import Zone
from analytics.core.segments import Segment
from analytics.store.store import scope_of
from analytics.web.answers import AnswerScope, Basis
from analytics.web.filters import DEFAULT_DAYS, MOST_DAYS, NO_GAME, BadFilter, Filters, expect_known
from analytics.web.translation import TranslatableError, TranslatableText

ONE_DAY = timedelta(days=1)


class NothingThere(TranslatableError):
    """The configuration names no game, so there is nothing to show."""


@dataclass(frozen=True)
class Place:
    """Areas of one game and a span of calendar days.

    Attributes:
        areas: those asked for by id; empty: all of the game, of the plat, or of the united area.
        members: all areas that this means.
        local: the zone that names days and hours.
        now: Unix seconds.
        newest: the newest day of which the game has records, if there is any.
        value: the segment, and which value of it the accts looked at have; None: all accts.
        excluded: the most accts that were excluded on one day.
        dropped: per collection whose first days were dropped, the first that is kept.
    """

    game: str
    plat: str
    areas: tuple[str, ...]
    members: tuple[Area, ...]
    basis: Basis
    local: Zone
    now: int
    today: date
    newest: date | None
    first: date
    last: date
    value: tuple[str, str] | None = None
    excluded: int = 0
    dropped: Mapping[str, date] = field(default_factory=dict)
    united: str = ""

    @cached_property
    def zones(self) -> frozenset[Zone]:
        """The zones of the members; a day is each area's own."""
        return frozenset(area.zone for area in self.members)

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole game, plat or united area, which has totals."""
        return self.basis in ("game", "plat", "united")

    @property
    def total(self) -> str:
        """What its totals have as ``scope``, where it is a whole."""
        return scope_of(self.united) if self.basis == "united" else self.basis

    @property
    def named(self) -> tuple[str, ...]:
        """The ids by which documents of its areas are found; empty: by game and plat."""
        return self.areas or (tuple(area.id for area in self.members) if self.united else ())

    def days(self) -> list[date]:
        """Return every day, in order."""
        return list(each_day(self.first, self.last))

    def ended(self, day: date) -> bool:
        """Whether ``day`` has ended in all areas."""
        return all(start_of(each, day + ONE_DAY) <= self.now for each in self.zones)

    def begun(self, day: date) -> bool:
        """Whether ``day`` has begun in any of the areas."""
        return any(start_of(each, day) <= self.now for each in self.zones)

    def bounds(self, first: date, last: date) -> tuple[int, int]:
        """Return from when to when these days last, in all the zones: ``since <= ts < until``."""
        return bounds(self.zones | {self.local}, first, last)

    def scope(self) -> AnswerScope:
        """Return it as views tell it."""
        return AnswerScope(
            self.game, self.plat, list(self.areas), len(self.members), self.basis, self.local.name,
            sorted(each.name for each in self.zones), str(self.first), str(self.last), str(self.today),
            str(self.newest) if self.newest else None, *(self.value or ("", "")), self.excluded,
            {name: str(day) for name, day in self.dropped.items()}, self.united,
        )  # fmt: skip


def each_day(first: date, last: date) -> Iterator[date]:
    """Yield the days from ``first`` to ``last``, both included."""
    for n in range((last - first).days + 1):
        yield first + n * ONE_DAY


@lru_cache(50_000)
def start_of(local: Zone, day: date) -> int:
    """Return when ``day`` begins there, in Unix seconds."""
    return local.day_of(day.isoformat())


def bounds(zones: Iterable[Zone], first: date, last: date) -> tuple[int, int]:
    """Return from when to when these days last, in all of ``zones``: ``since <= ts < until``."""
    begins, ends = zip(
        *((start_of(each, first), start_of(each, last + ONE_DAY)) for each in zones), strict=True
    )
    return min(begins), max(ends)


@lru_cache(200_000)
def date_of(local: Zone, ts: int) -> date:
    """Return the calendar day that ``ts`` lies in."""
    return local.local(local.start("day", ts)).date()


def members_of(areas: Sequence[Area], filters: Filters) -> tuple[str, tuple[Area, ...]]:
    """Return the game and the areas that a filter means.

    Raises:
        BadFilter: there is no such game, plat or area, or they don't belong together.
        NothingThere: there is no game at all.
    """
    by_id = {area.id: area for area in areas}
    games = list(dict.fromkeys(area.game for area in areas))
    if not games:
        raise NothingThere(
            "no game has areas yet: describe games and areas in the configuration, and start the dashboard again"
        )
    for id in filters.areas:
        expect_known('area: there is no area "{value}"; {near}', id, by_id)
    game = filters.game or (by_id[filters.areas[0]].game if filters.areas else games[0])
    expect_known(NO_GAME, game, games)
    own = [area for area in areas if area.game == game]
    if filters.plat:
        plats = {area.plat for area in own}
        expect_known('plat: {game} has no plat "{value}"; {near}', filters.plat, plats, game=game)
        own = [area for area in own if area.plat == filters.plat]
    if filters.united:
        united = {area.united for area in own} - {""}
        expect_known('united: {game} has no united area "{value}"; {near}', filters.united, united, game=game)
        own = [area for area in own if area.united == filters.united]
    for id in filters.areas:
        if by_id[id] not in own:
            of = TranslatableText("plat {plat} of {game}", {"plat": filters.plat, "game": game})
            raise BadFilter(
                "area: expected areas of {of}, got {id} of {game}, plat {plat}",
                of=of if filters.plat else game,
                id=id,
                game=by_id[id].game,
                plat=by_id[id].plat,
            )
    return game, tuple(by_id[id] for id in filters.areas) or tuple(own)


def value_of(filters: Filters, segments: Sequence[Segment]) -> tuple[str, str] | None:
    """Return the segment and the value that a filter names, None where it names none.

    Raises:
        BadFilter: the game has no such segment, or that no such value.
    """
    if not filters.segment:
        return None
    name, _, value = filters.segment.partition(":")
    values = {one.name: one.values for one in segments}
    expect_known('segment: the game has no segment "{value}"; {near}', name, values)
    expect_known('segment: {name} has no value "{value}"; {near}', value, values[name], name=name)
    return name, value


def basis_of(filters: Filters, members: Sequence[Area], areas: Iterable[Area]) -> Basis:
    """Return how the accts of these areas are counted. A united area that lies in one plat is the same with and without that plat.

    Args:
        areas: all there are.
    """
    if not filters.areas and not filters.united:
        return "plat" if filters.plat else "game"
    if filters.united and not filters.areas:
        game = members[0].game
        united = [area for area in areas if area.game == game and area.united == filters.united]
        if len(united) == len(members):
            return "united"
    return "area" if len(members) == 1 else "sum"


def zone_of(basis: Basis, members: Sequence[Area], of_game: Zone) -> Zone:
    """Return the zone that names the days: of whole games and plats the game's own, as their documents have it."""
    zones = {area.zone for area in members}
    return of_game if basis in ("game", "plat", "united") or len(zones) > 1 else zones.pop()


def span(filters: Filters, today: date, newest: date | None) -> tuple[date, date]:
    """Return the first and last day: by default the 30 days up to the newest that has records."""
    last = filters.until
    if last is None:
        last = min(newest, today) if newest else today
        if filters.since and filters.since > last:
            last = filters.since
    first = filters.since or last - (DEFAULT_DAYS - 1) * ONE_DAY
    if (last - first).days >= MOST_DAYS:
        raise BadFilter(
            "from: expected at most {most} days up to {until}, got {since}; say `to` as well",
            most=MOST_DAYS,
            until=last,
            since=first,
        )
    return first, last
