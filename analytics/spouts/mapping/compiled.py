"""One configuration section becomes one mapping: from a source's own line to the record that it stands for. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from analytics.config import Config, EventSection, FieldSection, Mapped, areas
from analytics.core.schema import GAMELOG, Kind, Schema, is_code, shown
from analytics.errors import RecordError
from analytics.spouts.mapping.formats import cells_of, parser
from analytics.spouts.mapping.remapped import remapped
from analytics.spouts.mapping.times import seconds
from analytics.spouts.normalizing import Record
from analytics.spouts.schemas import SCHEMAS


def kinds_of(schemas: Mapping[str, Schema]) -> dict[str, Kind]:
    """Return the fields that bolts read of game logs, and of which kind they are: numbers may come as text, texts as numbers.

    A name that stands for different kinds in different topics is left as it comes.
    """
    found: dict[str, set[Kind]] = {}
    for topic, schema in schemas.items():
        for field in schema.fields if topic.startswith(GAMELOG) else ():
            found.setdefault(field.name, set()).add(field.kind)
    return {name: kinds.pop() for name, kinds in found.items() if len(kinds) == 1}


def absent_of(
    schemas: Mapping[str, Schema], opcodes: Iterable[Mapping[str, str]] = ()
) -> dict[str, frozenset[str]]:
    """Return by op code the fields that are absent where a table's cell is empty. ``opcodes``: of games, their own op codes to the suite's."""
    found = {
        topic.removeprefix(GAMELOG): schema.absent_if_empty
        for topic, schema in schemas.items()
        if topic.startswith(GAMELOG)
    }
    nothing = frozenset[str]()
    for codes in opcodes:
        for own, code in codes.items():
            found[own] = found.get(own, nothing) | found.get(code, nothing)
    return found


KINDS: Mapping[str, Kind] = kinds_of(SCHEMAS)
"""Of the fields that the built-in bolts read."""
_ABSENT: Mapping[str, frozenset[str]] = absent_of(SCHEMAS)


_WHOLE = re.compile(r"\s*([+-]?[0-9]{1,19})(?:\.0*)?\s*")
_FRACTION = re.compile(r"\s*[+-]?[0-9]{1,19}\.[0-9]{1,19}\s*")
_REASON = re.compile(r"\$\.(?:data\.)?(\w+)(?=[:.\[])")
_MOST_EXACT = 2**53
_EMPTY = ', got ""'
_encode = msgspec.json.encode


class LineMapping:
    """How the lines of one source become records.

    A record is written as it travels, without the outer braces: ``"op":{"code":…},"area":…,"ts":…,"data":{…}``. ``data`` has the
    fields of ``fields`` under the suite's names, what an event sets, and all others of the line under their own names.

    Attributes:
        needs_header: the first line of a log says what the others mean.
        keeps_json: every usable line is a JSON object.
        time_field: the member or column that says when.
        is_text: a line that was cut off may look like a whole one, with a shorter value.
        fields: takes a line, and the first line of its log, apart into its own fields.
    """

    def __init__(
        self,
        name: str,
        section: Mapped,
        zone: str,
        kinds: Mapping[str, Kind] = KINDS,
        absent: Mapping[str, frozenset[str]] = _ABSENT,
    ) -> None:
        """``name``: the source's; ``zone``: of its times, where they have none and the section names none; ``kinds``: of fields;
        ``absent``: by op code, fields that are absent where an empty text stands for them."""
        assert section.time is not None
        self.name = name
        self._kinds = kinds
        # JSON says nothing by leaving a field out, or by null.
        self._absent = absent if section.format != "json" else {}
        self.needs_header = section.format == "csv" and not section.columns
        self.keeps_json = section.format == "json" and not section.prefix
        self.is_text = section.format != "json"
        self.time_field = section.time.field
        self.section = section
        self.fields = parser(section)
        self._seconds = seconds(section.time, zone)
        self._events = {
            own: event if isinstance(event, EventSection) else EventSection(code=event)
            for own, event in section.events.items()
        }
        self._compiled = remapped(section, self._events, kinds, self._seconds)
        area = section.area.field if isinstance(section.area, FieldSection) else ""
        renamed = {name: own for name, own in section.fields.items() if name != own}
        self._needed = {name for name in (section.time.field, section.event, area) if name}
        self._moved = {*self._needed, *renamed, *section.fields.values()} - (section.fields.keys() - renamed)
        self._origins = renamed | {"ts": section.time.field} | ({"area": area} if area else {})

    @property
    def acct_field(self) -> str:
        """The member or column that says who."""
        return self.section.fields.get("acct", "acct")

    def records(self, chunk: bytes) -> bytes | None:
        """Return the records of whole JSON lines at once, each with its braces and newline.

        None: one of them is unusual, the mapping is none of plain JSON, or nothing is compiled.
        """
        return None if self._compiled is None else self._compiled.records(chunk)

    def piece(self, line: bytes, header: str = "") -> bytes | None:
        """Return the record of one line, None where it is none and none was expected.

        Raises:
            RecordError: it can't be one; with the line's own field, what was expected, and what was found.
        """
        found = self.fields(line, header)
        if found is None:
            self._check_header(header)
            return None
        section = self.section
        assert section.time is not None
        time = self._found(found, section.time.field)
        try:
            ts = self._seconds(time)
        except RecordError as error:
            raise RecordError(f"{section.time.field}: {error}") from error
        event = self._event(found)
        area = self._area(found)
        data = {name: value for name, value in found.items() if name not in self._moved}
        for name, own in section.fields.items():
            value = self._look(found, own)
            if value is not None:
                data[name] = value
        for name in self._absent.get(event.code, ()):
            if data.get(name) == "":
                del data[name]
        data |= event.set
        for name in data.keys() & self._kinds.keys():
            data[name] = _as(self._kinds[name], data[name])
        return _encode({"op": {"code": event.code}, "area": area, "ts": ts, "data": data})[1:-1]

    def left_out(self, line: bytes, header: str = "") -> list[str]:
        """Return the line's own fields that are nowhere in its record, as each has the name of a field that is read from another one."""
        try:
            found = self.fields(line, header) or {}
        except RecordError:
            return []
        kept = {*self._needed, *self.section.fields.values()}
        return sorted(name for name in self.section.fields.keys() - kept if found.get(name) is not None)

    def _check_header(self, header: str) -> None:
        """Raise RecordError if the first line of a log is no header, as that of a log that was truncated: it may be a record."""
        missing = self._needed - self._cells(header) if self.needs_header else ()
        if missing:
            listed = ", ".join(sorted(missing))
            raise RecordError(
                f"line: expected a header that names {listed}, got {shown(header)}; name the columns in columns"
            )

    def header_in(self, line: bytes, header: str) -> str:
        """Return the header that a line is, as a program writes one whenever it starts, "" if it is none.

        It names all columns that the mapping reads and ``header`` has, and has no time where a line below ``header`` has it.
        """
        assert self.section.time is not None
        text = line.decode(errors="replace")
        if not all(name in text for name in self._needed):
            return ""  # as nearly all lines
        cells, columns = self._cells(text), self._cells(header)
        if not cells >= self._needed | columns.intersection(self.section.fields.values()):
            return ""
        try:
            self._seconds((self.fields(line, header) or {}).get(self.section.time.field))
        except RecordError:
            return text
        return ""

    def _cells(self, text: str) -> set[str]:
        try:
            return {*cells_of(text, self.section.separator)}
        except RecordError:
            return set()

    def reason(self, reason: str) -> str:
        """Return why a record can't be used in terms of the line: the name of its own field first."""
        if self.is_text and reason.endswith(_EMPTY):
            what = "cell" if self.section.format == "csv" else "value"
            reason = f"{reason.removesuffix(_EMPTY)}, got nothing: its {what} is empty"
        match = _REASON.match(reason)
        if match is None:
            return reason
        name = match[1]
        origin = self._origins.get(name)
        return f"{origin} (as {name}){reason[match.end() :]}" if origin else f"{name}{reason[match.end() :]}"

    def _event(self, found: Record) -> EventSection:
        if self.section.opcode:
            return EventSection(code=self.section.opcode)
        value = self._found(found, self.section.event)
        code = str(value) if type(value) is int else value
        if type(code) is not str or not is_code(code):
            raise RecordError(f"{self.section.event}: expected the name of an event, got {shown(value)}")
        return self._events.get(code) or EventSection(code=code)

    def _area(self, found: Record) -> str:
        section = self.section.area
        if isinstance(section, str):
            return section
        value = self._found(found, section.field)
        area = str(value) if type(value) is int else value
        if type(area) is not str:
            raise RecordError(f"{section.field}: expected an area's id, got {shown(value)}")
        return section.values.get(area, area)

    def _found(self, found: Record, name: str) -> object:
        """Return a field that must be there."""
        value = self._look(found, name)
        if value is None:
            listed = ", ".join(list(found)[:20])
            raise RecordError(f"{name}: expected a value, got nothing; the line has {listed}")
        return value

    def _look(self, found: Record, name: str) -> object:
        if self.is_text:
            return found.get(name)
        value: Any = found
        for part in name.split("."):
            value = value.get(part) if type(value) is dict else None
        return value


def line_mappings(config: Config, schemas: Mapping[str, Schema]) -> dict[str, LineMapping]:
    """Return the mapping of each source that has one, by its name. ``schemas``: what bolts read, by topic."""
    # What the built-in bolts read is read as before, whatever others call by the same name.
    known, kinds = areas(config), {**kinds_of(schemas), **KINDS}
    absent = absent_of(schemas, [game.opcodes for game in config.games.values()])
    found = {}
    for source in config.gamelog.sources:
        if source.format:
            zone = known[source.area].zone.name if isinstance(source.area, str) else config.timezone
            found[source.name] = LineMapping(source.name, source, zone, kinds, absent)
    return found


def _as(kind: Kind, value: object) -> object:
    """Return a value as bolts want it, the value itself where it is not plainly that."""
    if kind is Kind.INTEGER or kind is Kind.NUMBER:
        if type(value) is str and (match := _WHOLE.fullmatch(value)):
            return int(match[1])
        if kind is Kind.NUMBER and type(value) is str and _FRACTION.fullmatch(value):
            return float(value)
        if kind is Kind.INTEGER and type(value) is float and value.is_integer() and abs(value) <= _MOST_EXACT:
            return int(value)
    elif kind is Kind.TEXT and type(value) is int:
        return str(value)
    return value
