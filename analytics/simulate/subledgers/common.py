"""Shared by all subledgers: the shape of documents, money, rates and the calendar."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from analytics.simulate.events import GameServer

Fields = dict[str, Any]
Documents = dict[str, dict[str, Fields]]
"""Collection to ``_id`` to fields; lists are sorted."""

Servers = Mapping[str, GameServer]
HOUR = 3600


def hour_of(ts: int, day: int) -> int:
    """Return the start of the hour of ``ts`` in the day that starts at ``day``.

    Right in every zone whose clocks change by whole hours.
    """
    return ts - (ts - day) % HOUR


def money(cents: int) -> int | float:
    """Return an amount in currency units, an integer if it is whole."""
    return cents / 100 if cents % 100 else cents // 100


def share(part: int, whole: int) -> float:
    """Return ``part`` of ``whole`` in percent, two decimals; 0 if ``whole`` is 0."""
    return round(100 * part / whole, 2) if whole else 0


class Calendar:
    """Days of one time zone, as ordinals (``date.toordinal``)."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)

    def day(self, ts: int) -> int:
        """Return the day of ``ts`` (Unix seconds)."""
        return datetime.fromtimestamp(ts, self._zone).toordinal()

    def start(self, day: int) -> int:
        """Return when ``day`` starts, in Unix seconds."""
        local = datetime.combine(date.fromordinal(day), datetime.min.time(), self._zone)
        return int(local.timestamp())
