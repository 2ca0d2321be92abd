"""What of a mapping compiled code can do: plain JSON lines at once, see ``analytics.core.remap``. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from analytics.config import EventSection, FieldSection, Mapped
from analytics.core.compiled import remapper
from analytics.core.schema import Kind, is_code
from analytics.errors import RecordError
from analytics.spouts.mapping.times import Seconds

if TYPE_CHECKING:
    from analytics.core.remap import Remapper

_SCALES = {"unix": 1, "unix_ms": 1000}
_BY_MINUTE = tuple(f"{date}{between}%H:%M:%S" for date in ("%Y-%m-%d", "%Y-%d-%m") for between in " T")
_encode = msgspec.json.encode


def remapped(
    section: Mapped, events: Mapping[str, EventSection], kinds: Mapping[str, Kind], seconds: Seconds
) -> "Remapper | None":
    """Return what reads many lines at once; None where the mapping is none of plain JSON, or nothing is compiled.

    ``kinds``: fields that bolts read, and of which kind they are.
    """
    reserved = {name for event in events.values() for name in event.set}
    if section.format != "json" or section.prefix or reserved & section.fields.keys():
        return None
    assert section.time is not None

    def seconds_of(text: bytes) -> int | None:
        try:
            return seconds(text.decode())
        except (RecordError, UnicodeDecodeError):
            return None

    def event_of(name: bytes) -> tuple[bytes, bytes] | None:
        try:
            code = section.opcode or name.decode()
        except UnicodeDecodeError:
            return None
        event = events.get(code) or EventSection(code=code)
        head = b'{"op":%b,"area":' % _encode({"code": event.code})
        return (head, _encode(event.set)[1:-1] + b"," if event.set else b"") if is_code(code) else None

    def area_of(name: bytes) -> bytes | None:
        try:
            own = name.decode()
        except UnicodeDecodeError:
            return None
        return _encode(section.area if isinstance(section.area, str) else section.area.values.get(own, own))

    time, area = section.time, section.area
    return remapper(
        time.field.split("."),
        section.event.split(".") if section.event else [],
        area.field.split(".") if isinstance(area, FieldSection) else [],
        [(name, kinds.get(name, Kind.OTHER).value, own.split(".")) for name, own in section.fields.items()],
        {name: kind.value for name, kind in kinds.items()},
        reserved,
        _SCALES.get(time.format, 0),
        time.format == "iso8601" or time.format.startswith(_BY_MINUTE),
        seconds_of,
        event_of,
        area_of,
    )
