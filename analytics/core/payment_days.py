"""Payments on the day that they name, whatever time zone their area has by now. Pure.

A payment says when its day began, in the zone that its area had then, and which day it is: ``"ts": 1795795200, "day": "2026-11-28"``.
Whatever folds or sorts payments takes ``ts`` for a moment of the day in the zone that the area has now. So the line is first rewritten with the moment at which the
named day begins there. A payment that names no day, as those of earlier versions, stays on the day that its moment lies in.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from analytics.core.areas import Area
from analytics.core.periods import Zone
from analytics.core.tuples import UNDECODABLE, Day, PeriodStart, expect_near

_MARK = b'"day"'


class _Head(msgspec.Struct, gc=False):
    """What says on which day a payment counts."""

    area: str
    ts: PeriodStart
    day: Day | None = None

    def __post_init__(self) -> None:
        expect_near(self.ts, self.day)


_head = msgspec.json.Decoder(_Head)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def on_named_days(body: bytes, areas: Mapping[str, Area]) -> bytes:
    """Return payments with the moments at which the days that they name begin in the zones that their areas have now.

    Lines that name no day, or are no payments of these areas, stay as they are.
    """
    if _MARK not in body:
        return body
    return b"\n".join(_on_named_day(line, areas) for line in body.split(b"\n"))


def named_day(line: bytes, areas: Mapping[str, Area]) -> int | None:
    """Return the start (Unix seconds) of the day that a payment names in its area's zone; None where it names none that can be used."""
    head = _decoded(line) if _MARK in line else None
    if head is None or head.day is None or head.area not in areas:
        return None
    return _start(areas[head.area].zone, head.day)


def moment_of(topic: str, line: bytes, ts: int, areas: Mapping[str, Area]) -> int:
    """Return a moment of the day on which a record counts in its area's zone, given the ``ts`` that it says."""
    return (named_day(line, areas) if topic == "payment" else None) or ts


def _on_named_day(line: bytes, areas: Mapping[str, Area]) -> bytes:
    head = _decoded(line)
    if head is None or head.day is None or head.area not in areas:
        return line
    zone = areas[head.area].zone
    start = _start(zone, head.day)
    if zone.start("day", head.ts) == start:
        return line
    return msgspec.json.encode(_members.decode(line) | {"ts": msgspec.Raw(b"%d" % start)})


def _decoded(line: bytes) -> _Head | None:
    try:
        return _head.decode(line)
    except UNDECODABLE:
        return None


@lru_cache(10_000)
def _start(zone: Zone, day: str) -> int:
    return zone.day_of(day)
