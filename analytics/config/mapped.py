"""How a source's own lines become records: the keys of a mapping, and what is wrong with one."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from analytics.config.section import Section

ISO8601, UNIX, UNIX_MS = "iso8601", "unix", "unix_ms"
_NAMED_TIMES = (ISO8601, UNIX, UNIX_MS)
_SAMPLE = datetime(2026, 11, 28, 13, 45, tzinfo=UTC)
_EXAMPLE_TIME = 'time = { field = "time", format = "%Y-%m-%d %H:%M:%S", zone = "Asia/Shanghai" }'
_EXAMPLE_PATTERN = r"pattern = '^(?P<time>\S+ \S+) (?P<event>\w+) (?P<acct>\S+)$'"
_KEYS_OF_FORMAT = {
    "columns": "csv",
    "separator": "csv",
    "pattern": "regex",
    "unmatched": "regex",
    "prefix": "json",
}
_OWN_FIELDS = frozenset({"op", "area", "ts", "id"})


class TimeSection(Section, frozen=True):
    """Where a line says when. ``zone`` empty: the fixed area's zone, else the configuration's."""

    field: str
    format: str = ISO8601
    zone: str = ""


class FieldSection(Section, frozen=True):
    """A field whose values stand for others. A value that ``values`` does not have stays as it is."""

    field: str
    values: dict[str, str] = {}


class EventSection(Section, frozen=True):
    """What an event means: an op code, and fields that its lines do not have themselves."""

    code: str
    set: dict[str, str | int] = {}


class Mapped(Section, frozen=True):
    """How lines of another shape become records. ``format`` empty: they have the documented shape.

    ``fields``: the suite's name of a field to the line's own. A name with dots leads into nested JSON.
    """

    format: Literal["", "json", "logfmt", "csv", "regex"] = ""
    area: str | FieldSection = ""
    time: TimeSection | None = None
    event: str = ""
    opcode: str = ""
    events: dict[str, str | EventSection] = {}
    fields: dict[str, str] = {}
    prefix: Literal["", "json"] = ""
    columns: list[str] = []
    separator: str = ","
    pattern: str = ""
    unmatched: Literal["reject", "skip"] = "reject"


_HEADED_KINDS = ("http", "file")
"""The kinds of sources that read a log from its first line, which may name the columns."""


def faults_of_mapping(source: Mapped, key: str, areas: set[str], kind: str) -> Iterator[str]:
    """Yield what is wrong with a source's mapping. ``areas``: ids that games claim; ``kind``: the source's."""
    if not source.format:
        for field in msgspec.structs.fields(Mapped):
            value = getattr(source, field.name)
            if value != (field.default_factory() if callable(field.default_factory) else field.default):
                yield f'{key}.{field.name}: expected only in a source with a format, found none; add format = "json"'
        return
    for name, of in _KEYS_OF_FORMAT.items():
        if getattr(source, name) not in ("", ",", "reject", []) and source.format != of:
            yield f'{key}.{name}: expected only where format is "{of}", got format "{source.format}"'
    yield from _area(source, key, areas)
    yield from _format(source, key, kind)
    yield from _event(source, key)
    yield from _time(source.time, f"{key}.time")
    yield from _fields(source, key)


def _area(source: Mapped, key: str, areas: set[str]) -> Iterator[str]:
    if not source.area:
        yield f'{key}.area: expected an area of [games.<name>.areas], or a field, found none; write area = "s1" or area = {{ field = "server" }}'
        return
    named = (
        {f"{key}.area": source.area}
        if isinstance(source.area, str)
        else {f"{key}.area.values.{own}": area for own, area in source.area.values.items()}
    )
    for where, area in named.items():
        if area not in areas:
            known = ", ".join(sorted(areas)[:5]) or "none"
            yield f'{where}: expected an area of [games.<name>.areas] ({known}), got "{area}"; add it as [games.<name>.areas.{area}]'


def _format(source: Mapped, key: str, kind: str) -> Iterator[str]:
    if source.format == "csv":
        if len(source.separator) != 1 or source.separator in '"\n\r':
            yield f'{key}.separator: expected one character, like "," or "\\t", got "{source.separator}"'
        if len({*source.columns}) < len(source.columns):
            yield f"{key}.columns: expected names of their own, got one twice: {', '.join(source.columns)}"
        if kind not in _HEADED_KINDS and not source.columns:
            yield f'{key}.columns: expected names, as a source of kind "{kind}" has no header, found none; write columns = ["time", "event", "acct"]'
    if source.format == "regex":
        try:
            groups = re.compile(source.pattern).groupindex
        except re.error as error:
            yield f"{key}.pattern: expected a regular expression like {_EXAMPLE_PATTERN}, got '{source.pattern}': {error}"
        else:
            if not groups:
                yield f"{key}.pattern: expected named groups, like {_EXAMPLE_PATTERN}, got '{source.pattern}'"


def _event(source: Mapped, key: str) -> Iterator[str]:
    if bool(source.event) == bool(source.opcode):
        got = f'got both, "{source.event}" and "{source.opcode}"' if source.event else "found neither"
        yield (
            f"{key}.event: expected the field that says what happened, or opcode where all lines are of one, {got}; "
            'write event = "event" or opcode = "login_logcount"'
        )
    if source.events and not source.event:
        yield f'{key}.events: expected only beside event, which names the field, found none; write event = "event"'
    for own, event in source.events.items():
        if not (event if isinstance(event, str) else event.code):
            yield f'{key}.events.{own}: expected an op code, got "";  write {own} = "login_logcount"'


def _time(time: TimeSection | None, key: str) -> Iterator[str]:
    if time is None:
        yield f"{key}: expected the field that says when, found none; write {_EXAMPLE_TIME}"
        return
    if time.zone:
        try:
            ZoneInfo(time.zone)
        except (KeyError, ValueError, OSError):
            yield f'{key}.zone: expected an IANA name like "Asia/Shanghai", got "{time.zone}"'
    if time.format in _NAMED_TIMES:
        return
    if not tells_all(time.format):
        yield (
            f"{key}.format: expected {', '.join(_NAMED_TIMES)}, or a strptime format with year, month, day, hour and minute, "
            f'got "{time.format}"; write {_EXAMPLE_TIME}'
        )


def tells_all(format: str) -> bool:
    """Say whether a strptime format says year, month, day, hour and minute."""
    try:
        found = datetime.strptime(_SAMPLE.strftime(format), format)
    except ValueError:
        return False
    return found.replace(tzinfo=UTC) == _SAMPLE


def _fields(source: Mapped, key: str) -> Iterator[str]:
    known = {*source.columns} if source.format == "csv" else set()
    if source.format == "regex":
        try:
            known = {*re.compile(source.pattern).groupindex}
        except re.error:
            return
    named = {f"{key}.fields.{name}": own for name, own in source.fields.items()}
    if source.event:
        named[f"{key}.event"] = source.event
    if source.time is not None:
        named[f"{key}.time.field"] = source.time.field
    if isinstance(source.area, FieldSection):
        named[f"{key}.area.field"] = source.area.field
    what = "column" if source.format == "csv" else "named group of the pattern"
    for where, own in named.items():
        if not own or (known and own not in known):
            shown = f" ({', '.join(sorted(known))})" if known else ""
            yield f'{where}: expected a {what if known else "field"}{shown}, got "{own}"'
    for name in source.fields:
        if name in _OWN_FIELDS:
            yield f"{key}.fields.{name}: expected the name of a field of data, got {name}; area, time and event have keys of their own"
