"""What a line says of the time becomes Unix seconds. Pure."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from analytics.config import TimeSection
from analytics.core.schema import shown
from analytics.errors import RecordError

_MOST_KNOWN = 20_000
_FRACTION = re.compile(r"[.,]\d{1,9}$")
_DIRECTIVE = re.compile("%.")
_UTC_NAMES = ("UTC", "GMT")
_UTC = ZoneInfo("UTC")
_MILLISECONDS = 100_000_000_000
"""Unix seconds of the year 5138: who says more says milliseconds."""

Seconds = Callable[[object], int]
"""Unix seconds of a value. Raises RecordError, with the value and without the field."""


def seconds(section: TimeSection, zone: str) -> Seconds:
    """Return how a mapping's times are read. ``zone``: where times are of that name none themselves."""
    if section.format == "unix":
        return _unix
    if section.format == "unix_ms":
        return _unix_ms
    local = ZoneInfo(section.zone or zone)
    if section.format == "iso8601":
        return _remembered(
            lambda text: _in(datetime.fromisoformat(text.strip()), local), 'like "2026-11-28T13:45:00+08:00"'
        )
    format, cut = section.format, False
    if format.endswith((".%f", ",%f")):
        format, cut = format[:-3], True

    # What it reads by %Z, strptime forgets.
    names = _UTC_NAMES if "%Z" in _DIRECTIVE.findall(format) else ()
    in_utc = [_DIRECTIVE.sub(partial(_with_name, name), format) for name in names]

    def read(text: str) -> int:
        text = _FRACTION.sub("", text.strip()) if cut else text.strip()
        for one in in_utc:
            with suppress(ValueError):
                return _in(datetime.strptime(text, one), _UTC)
        return _in(datetime.strptime(text, format), local)

    return _remembered(read, f'as "{section.format}"')


def _in(time: datetime, zone: ZoneInfo) -> int:
    return int((time if time.tzinfo else time.replace(tzinfo=zone)).timestamp() // 1)


def _with_name(name: str, directive: re.Match[str]) -> str:
    """Return a directive of strptime, ``name`` in place of that for a zone's name."""
    return name if directive[0] == "%Z" else directive[0]


def _remembered(read: Callable[[str], int], expected: str) -> Seconds:
    """Return what reads texts, each of them once: lines that follow each other say the same second."""
    known = lru_cache(_MOST_KNOWN)(read)

    def seconds_of(value: object) -> int:
        try:
            if type(value) is not str:
                raise ValueError
            return known(value)
        except (ValueError, OverflowError, OSError) as error:
            raise RecordError(f"expected a time {expected}, got {shown(value)}") from error

    return seconds_of


def _number(value: object) -> float | int:
    """Return a number, or a text that is one."""
    try:
        if type(value) is str:
            return int(value) if value.strip().isdigit() else float(value)
        if type(value) in (int, float):
            return value  # type: ignore[return-value]
    except ValueError:
        pass
    raise RecordError(f"expected a number of Unix time, got {shown(value)}")


def _unix(value: object) -> int:
    number = _number(value)
    if not -_MILLISECONDS < number < _MILLISECONDS:
        raise RecordError(
            f'expected Unix seconds, got {shown(value)}; for milliseconds write format = "unix_ms"'
        )
    return int(number // 1)


def _unix_ms(value: object) -> int:
    number = _number(value)
    if not -(2**63) < number < 2**63:
        raise RecordError(f"expected Unix milliseconds, got {shown(value)}")
    if 0 < number < _MILLISECONDS / 10:
        raise RecordError(
            f'expected Unix milliseconds, got {shown(value)}; for seconds write format = "unix"'
        )
    return int(number // 1000)
