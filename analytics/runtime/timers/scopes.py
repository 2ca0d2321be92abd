"""What a document of a timer bolt covers: an area, a united area, a plat of a game, or a whole game, as a whole or by the values of a
segment; and which calendar day it is there."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, Literal

from analytics.config import Config
from analytics.core.areas import Area, Areas
from analytics.core.bolt import joined
from analytics.core.periods import Zone, dates, zone
from analytics.core.segments import Segment, Segments
from analytics.store.store import DIVIDED, TOTAL, scope_of
from analytics.timers.facts import Clock

DAYS_AHEAD = 2
"""Records lie a day ahead at most, which a day of 23 hours makes two: no fact is later."""


@dataclass(frozen=True)
class Scope:
    """An area alone, or a plat or a game with all of its areas, or a united area with all that were merged into it.

    Attributes:
        area, plat: "" of a game; ``area`` is "" of a plat, too. Of a united area ``area`` is "" and ``united`` the area that the others were merged into.
        zone: gives the ``ts`` of its documents: of plats and united areas the zone of their game.
        areas: ids of what it unites.
        zones: the time zones of these.
        same_as: of a plat or united area that has all of its game's areas the game's stem: they share their facts.
        segment: what divides its accts; it then has a document for each value, or part. None: they are counted as a whole.
    """

    kind: Literal["area", "united", "plat", "game"]
    game: str
    area: str
    plat: str
    zone: Zone
    areas: tuple[str, ...]
    zones: frozenset[Zone]
    same_as: str = ""
    segment: Segment | None = None
    united: str = ""

    @cached_property
    def stem(self) -> str:
        """How the ids of its documents begin."""
        if self.kind == "area":
            return self.area
        return stem_of(*self.key)

    @property
    def pool(self) -> str:
        """Under what its facts are kept."""
        return self.same_as or self.stem

    @property
    def shared_by(self) -> tuple[str, str]:
        """What scopes have in common whose documents have the same numbers."""
        return self.pool, self.segment.name if self.segment else ""

    @property
    def is_total(self) -> bool:
        """Whether it unites areas."""
        return self.kind != "area"

    @property
    def key(self) -> tuple[str, ...]:
        """The parts of an id that stand for it."""
        return {
            "area": (self.area,),
            "united": ("united", self.game, self.united),
            "plat": ("plat", self.game, self.plat),
            "game": ("game", self.game),
        }[self.kind]

    @cached_property
    def names(self) -> dict[str, str]:
        """The fields that every document of it carries."""
        if self.kind == "area":
            return {"game": self.game, "area": self.area, "plat": self.plat}
        if self.kind == "united":
            return {"scope": scope_of(self.united), "game": self.game}
        return {"scope": self.kind, "game": self.game} | ({"plat": self.plat} if self.kind == "plat" else {})

    def collection(self, name: str) -> str:
        """Return the collection that holds a timer bolt's documents of it."""
        return f"{name}{DIVIDED if self.segment else ''}{TOTAL if self.is_total else ''}"

    @cached_property
    def parts(self) -> range:
        """The places of the values that it has documents of; of a whole only 0."""
        return range(len(self.segment.values) if self.segment else 1)

    def id_of(self, first: int, part: int = 0) -> str:
        """Return the id of its document of the period that begins on day ``first``, and of that value."""
        return f"{self.stem}:{start_of(self.zone, first)}{self._suffixes[part]}"

    def ids_of(self, first: int) -> list[str]:
        """Return the ids of all of its documents of that period."""
        return [self.id_of(first, part) for part in self.parts]

    def key_fields(self, first: int, part: int = 0) -> dict[str, Any]:
        """Return what the key itself gives that document."""
        of_value = {"segment": self.segment.name, "value": self.segment.values[part]} if self.segment else {}
        return self.fields_at(start_of(self.zone, first)) | of_value

    def fields_at(self, ts: int) -> dict[str, Any]:
        """Return what its documents of the period that starts at ``ts`` say besides their numbers."""
        return {**self.names, "ts": ts, **dates(self.zone, ts)}

    @cached_property
    def _suffixes(self) -> list[str]:
        return [f":{suffix}" for suffix in suffixes(self.segment)] if self.segment else [""]

    def has_day(self, day: int) -> bool:
        """Return whether the scope's zone has that day, and does not skip the date."""
        return day_of(self.zone, start_of(self.zone, day)) == day

    def clock(self, now: int) -> Clock:
        """Return which days have begun and ended there at ``now`` (Unix seconds)."""
        days = [day_of(each, now) for each in self.zones]
        return Clock(max(days), min(days) - 1)

    def last_day(self, now: int) -> int:
        """Return the last day of which there may be records."""
        return self.clock(now).begun + DAYS_AHEAD


def area_scope(area: Area) -> Scope:
    return Scope("area", area.game, area.id, area.plat, area.zone, (area.id,), frozenset([area.zone]))


def total_scopes(config: Config, areas: Areas) -> list[Scope]:
    """Return the scope of each game that has areas, of each of its plats, and of each united area."""
    result = []
    for name, game in config.games.items():
        own = [area for area in areas.values() if area.game == name]
        local = zone(game.timezone or config.timezone)
        if own:
            result.append(_total(own, local))
        parts = [("plat", plat) for plat in sorted({area.plat for area in own})]
        parts += [("united", united) for united in sorted({area.united for area in own} - {""})]
        for kind, part in parts:
            some = [area for area in own if getattr(area, kind) == part]
            same_as = stem_of("game", name) if len(some) == len(own) else ""
            fields: dict[str, Any] = {"kind": kind, kind: part}
            result.append(replace(_total(some, local), same_as=same_as, **fields))
    return result


def _total(own: list[Area], local: Zone) -> Scope:
    ids, zones = tuple(area.id for area in own), frozenset(area.zone for area in own)
    return Scope("game", own[0].game, "", "", local, ids, zones)


def divided(scopes: Iterable[Scope], segments: Segments) -> list[Scope]:
    """Return each scope once for each segment of its game."""
    return [replace(scope, segment=segment) for scope in scopes for segment in segments.get(scope.game, ())]


def suffixes(segment: Segment) -> list[str]:
    """Return how the ids of a segment's documents end, by value."""
    return [joined((segment.name, value)) for value in segment.values]


def stem_of(*key: str) -> str:
    """Return how the ids of a total's documents begin. ``key``: see :attr:`Scope.key`."""
    return joined((*key, "")).removesuffix(":")


def stems_of(area: Area) -> list[str]:
    """Return how the ids of an area's documents begin, and those of all totals that it is a part of."""
    totals = [stem_of("game", area.game), stem_of("plat", area.game, area.plat)]
    united = [stem_of("united", area.game, area.united)] if area.united else []
    return [area.id, *totals, *united]


def all_scopes(config: Config, areas: Areas) -> list[Scope]:
    return [*map(area_scope, areas.values()), *total_scopes(config, areas)]


def day_of(local: Zone, ts: int) -> int:
    """Return the calendar day that ``ts`` lies in, as an ordinal."""
    return _ordinal(local, local.start("day", ts))


@lru_cache(100_000)
def start_of(local: Zone, day: int) -> int:
    """Return when the day of that ordinal begins, in Unix seconds; of a date that the zone skips a second in the day before,
    where no day begins and so nothing is stored."""
    start = local.day_of(date.fromordinal(day).isoformat())
    return start if _ordinal(local, start) == day else start - 1


def next_boundary(zones: Iterable[Zone], now: int) -> int:
    """Return when the next day begins in any of the zones."""
    return min((each.next("day", each.start("day", now)) for each in zones), default=now + 86400)


@lru_cache(100_000)
def _ordinal(local: Zone, start: int) -> int:
    return local.local(start).date().toordinal()
