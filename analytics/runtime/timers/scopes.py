"""What timer bolts speak of: an area, or a whole game; and which calendar day it is there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Any

from analytics.config import Config
from analytics.core.areas import Area, Areas
from analytics.core.periods import Zone, zone
from analytics.timers.facts import Clock

WHOLE = "*"
DAYS_AHEAD = 2
"""Records lie a day ahead at most, which a day of 23 hours makes two: no fact is later."""


@dataclass(frozen=True)
class Scope:
    """An area by itself, or a game with all of its areas (``area`` and ``plat`` are then ``*``).

    Attributes:
        zone: gives the ``ts`` of its documents.
        areas: ids of what it unites.
        zones: the time zones of these.
    """

    game: str
    area: str
    plat: str
    zone: Zone
    areas: tuple[str, ...]
    zones: frozenset[Zone]

    @cached_property
    def stem(self) -> str:
        """How the ids of its documents begin."""
        return f"{self.game}:{WHOLE}" if self.is_game else self.area

    @property
    def is_game(self) -> bool:
        """Whether it is a game's whole."""
        return self.area == WHOLE

    def id_of(self, first: int) -> str:
        """Return the id of its document of the period that begins on day ``first``."""
        return f"{self.stem}:{start_of(self.zone, first)}"

    def key_fields(self, first: int) -> dict[str, Any]:
        """Return what the key itself gives that document."""
        return {"game": self.game, "area": self.area, "plat": self.plat, "ts": start_of(self.zone, first)}

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
    """Return the scope of one area."""
    return Scope(area.game, area.id, area.plat, area.zone, (area.id,), frozenset([area.zone]))


def game_scopes(config: Config, areas: Areas) -> list[Scope]:
    """Return the scope of each game that has areas."""
    result = []
    for name, game in config.games.items():
        own = [area for area in areas.values() if area.game == name]
        if own:
            ids = tuple(area.id for area in own)
            local = zone(game.timezone or config.timezone)
            result.append(Scope(name, WHOLE, WHOLE, local, ids, frozenset(area.zone for area in own)))
    return result


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
