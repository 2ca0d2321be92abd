"""Days and hours of the suite's time zones as expressions of SQL, exactly as ``analytics.core.periods`` cuts them."""

import time
from collections.abc import Iterable, Iterator
from datetime import date

from analytics.core.periods import Zone
from analytics.core.tuples import EARLIEST

DAY = 86_400
AHEAD = 3 * DAY
"""A record's time may lie a day ahead of the clock."""

EPOCH = date(1970, 1, 1).toordinal()

Pieces = list[tuple[int, int]]
"""From which Unix second on an offset holds, oldest first."""


def macros(zones: Iterable[Zone]) -> Iterator[str]:
    """Yield statements that define ``day_of(ts, zone)``, a date, and ``hour_of(ts, zone)``, the Unix second of its start."""
    days, hours = [], []
    for zone in sorted(set(zones), key=lambda zone: zone.name):
        of_days, of_hours = _pieces(zone)
        days.append(
            (zone.name, _case(of_days, "DATE '1970-01-01' + CAST((ts + {offset}) // 86400 AS INTEGER)"))
        )
        # An hour in which clocks change begins at the change.
        hour = "greatest(ts - (ts + {offset}) % 3600, {begin})"
        hours.append((zone.name, _case(of_hours, hour)))
    yield f"CREATE MACRO day_of(ts, zone) AS {_by_zone(days)}"
    yield f"CREATE MACRO hour_of(ts, zone) AS {_by_zone(hours)}"


def _by_zone(cases: list[tuple[str, str]]) -> str:
    if len(cases) == 1:
        return cases[0][1]
    return "CASE zone " + " ".join(f"WHEN '{name}' THEN {case}" for name, case in cases) + " END"


def _case(pieces: Pieces, value: str) -> str:
    """Return an expression for what lies in the pieces; the newest are compared first, as most records are of them."""
    whens = [
        f"WHEN ts >= {begin} THEN {value.format(offset=offset, begin=begin)}"
        for begin, offset in reversed(pieces)
    ]
    return f"CASE {' '.join(whens)} END"


def _pieces(zone: Zone) -> tuple[Pieces, Pieces]:
    """Return the offsets by which days are cut and those of the clock, from before 2000 until the day after tomorrow."""
    days: Pieces = []
    clock: Pieces = []
    begin = zone.start("day", EARLIEST - DAY)
    while begin < time.time() + AHEAD:
        end = zone.next("day", begin)
        _add(days, begin, _midnight(zone, begin) - begin)
        if end - begin > DAY:  # what is longer than a day of 24 hours goes by the offset of its end
            _add(days, begin + DAY, _midnight(zone, begin) + DAY - end)
        _add(clock, begin, _offset(zone, begin))
        if _offset(zone, end) != _offset(zone, begin):
            _add(clock, _change(zone, begin, end), _offset(zone, end))
        begin = end
    return days, clock


def _add(pieces: Pieces, begin: int, offset: int) -> None:
    if not pieces or pieces[-1][1] != offset:
        pieces.append((begin, offset))


def _midnight(zone: Zone, begin: int) -> int:
    """Return the second that would be the start of the day that starts at ``begin``, in UTC."""
    return (zone.local(begin).date().toordinal() - EPOCH) * DAY


def _change(zone: Zone, before: int, after: int) -> int:
    """Return the second at which the offset of ``before`` ends."""
    offset = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: Zone, ts: int) -> int:
    shift = zone.local(ts).utcoffset()
    assert shift is not None
    return int(shift.total_seconds())
