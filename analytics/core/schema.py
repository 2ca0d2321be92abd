"""What a record of a topic has to say: derived from the Structs that the bolts declare which read it. Pure.

A spout holds each record against its topic's schema before it accepts it, so no bolt ever meets one that it cannot use.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

import msgspec
from msgspec import inspect

from analytics.core.bolt import Bolt
from analytics.core.tuples import EARLIEST, LATEST, LONGEST_NAME, UNDECODABLE, WITHOUT_NUL
from analytics.errors import RecordError

GAMELOG = "gamelog."
"""What the topic of a game log record begins with; its op code follows."""

LONGEST_CODE = 100
"""Characters of an op code."""

POLLED = frozenset({"payment", "syncuser"})
"""The topics of the spouts that poll."""

LOWEST, HIGHEST = -(2**63), 2**63 - 1
NO_LIMIT = 2**62
"""Characters of a text whose length nobody bounds."""

_HEAD = frozenset({"area", "ts"})
_SHOWN = 60
MISSING = object()
"""Stands for a value that is not there."""
_INTEGER_DIGITS = 19
_ERROR = re.compile(r"(?P<what>.*?)(?: - at (?:the key of )?`(?P<where>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")


class Kind(Enum):
    """What the value of a field is. OTHER: a type that only the bolts' own decoders check."""

    TEXT = "string"
    INTEGER = "int"
    NUMBER = "number"
    CHOICE = "choice"
    OTHER = "other"


_TEXT, _INTEGER, _NUMBER, _CHOICE = Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.CHOICE
"""As globals, since each field of each line is compared with them."""


@dataclass(frozen=True, slots=True)
class Field:
    """A member of an object, and what its value must be.

    Attributes:
        low, high: the inclusive bounds of an integer or number, or of a text's length in characters.
        choices: the texts that a CHOICE may be.
        from_text: whether an integer may be written as text, as an id is.
        required: whether it must be there.
        nullable: whether it may be null.
    """

    name: str
    kind: Kind
    low: int | float = LOWEST
    high: int | float = HIGHEST
    choices: tuple[str, ...] = ()
    from_text: bool = False
    required: bool = True
    nullable: bool = False

    def correct(self, record: dict[str, Any], where: str) -> bool:
        """Check the value that ``record`` has, and write an id as its type wants it. Return whether it had to be.

        Raise RecordError, which says ``<where>.<name>``, what was expected, and what was found.
        """
        found = value = record.get(self.name, MISSING)
        if self._is_right(value):
            return False
        if (found is None and self.nullable) or (found is MISSING and not self.required):
            return False
        if self.kind is Kind.TEXT and type(value) is int and LOWEST <= value <= HIGHEST:
            value = str(value)
        elif self.from_text and type(value) is str:
            value = _integer(value)
        if not self._is_right(value):
            raise unlike(f"{where}.{self.name}", self._expected(value), found)
        record[self.name] = value
        return True

    def _is_right(self, value: Any) -> bool:
        kind = self.kind
        if kind is _TEXT:
            return type(value) is str and self.low <= len(value) <= self.high and "\0" not in value
        if kind is _INTEGER:
            return type(value) is int and self.low <= value <= self.high
        if kind is _CHOICE:
            return value in self.choices
        if kind is _NUMBER:
            return type(value) in (int, float) and self.low <= value <= self.high
        return value is not MISSING

    def _expected(self, value: Any) -> str:
        """Return what ``value`` should have been."""
        if self.kind is Kind.OTHER:
            return "a value"
        if self.kind is Kind.CHOICE:
            return f"one of {', '.join(self.choices)}"
        if self.kind is Kind.TEXT:
            if type(value) is not str:
                return "string"
            if self.low <= len(value) <= self.high:
                return "characters other than NUL"
            return f"{self.low} to {self.high} characters"
        if type(value) is not int and (self.kind is Kind.INTEGER or type(value) is not float):
            return str(self.kind.value)
        return self._within()

    def _within(self) -> str:
        """Return how a reason names the bounds."""
        if (self.low, self.high) == (LOWEST, HIGHEST):
            return "an integer of 64 bits"
        if self.high == HIGHEST:
            return f"{self.kind.value} ≥ {self.low}"
        return f"{self.kind.value} from {self.low} to {self.high}"


@dataclass(frozen=True)
class Schema:
    """What a topic's records have to say.

    Attributes:
        types: how bolts read them, each type once.
        fields: the members that they read of ``data``, or for a topic that is no game log's, of the tuple itself.
        complete: whether the fields are all that the types check beside ``area`` and ``ts``.
    """

    types: tuple[type, ...]
    fields: tuple[Field, ...]
    complete: bool

    @cached_property
    def is_of_acct(self) -> bool:
        """Whether a record has to say no more than which acct it is of."""
        names = [(field.name, field.kind, field.low, field.high, field.required) for field in self.fields]
        return self.complete and names == [("acct", Kind.TEXT, 1, LONGEST_NAME, True)]

    @cached_property
    def absent_if_empty(self) -> frozenset[str]:
        """The fields that need not be there, and that no empty text can be."""
        optional = {field.name for field in self.fields if not field.required}
        declared = [one for kind in self.types for one in msgspec.structs.fields(payload_of(kind) or kind)]
        return frozenset(
            one.encode_name for one in declared if one.encode_name in optional and not _takes_empty(one.type)
        )

    @cached_property
    def _decoders(self) -> "list[msgspec.json.Decoder[Any]]":
        return [msgspec.json.Decoder(kind) for kind in self.types]

    def correct(self, members: dict[str, Any], where: str) -> bool:
        """Check all fields, and write ids as their types want them. Return whether one had to be.

        Raise RecordError, which names the field below ``where``, what was expected, and what was found.
        """
        changed = False
        for field in self.fields:
            changed |= field.correct(members, where)
        return changed

    def fault(self, line: bytes) -> str:
        """Return why a bolt cannot decode a tuple, "" where all can.

        Where a field comes twice, the last one counts, but a decoder wants all of them to be right.
        """
        try:
            for decoder in self._decoders:
                decoder.decode(line)
        except UNDECODABLE as error:
            return reason_of(error)
        return ""

    @cached_property
    def _of_many(self) -> "list[Callable[[bytes], object]]":
        """Decoders of many lines, which leave out what is checked elsewhere."""
        kinds = [_data_alone(kind) for kind in self.types] if self.complete else self.types
        return [msgspec.json.Decoder(kind).decode_lines for kind in kinds]

    def fits(self, lines: bytes) -> bool:
        """Say whether all bolts can decode each of many tuples, whose areas and times are right."""
        try:
            for decode in self._of_many:
                decode(lines)
        except UNDECODABLE:
            return False
        return True


def schemas(bolts: Iterable[Bolt]) -> dict[str, Schema]:
    """Return, for each topic that spouts publish and ``bolts`` read, what its records have to say.

    Raise ValueError if two bolts declare a field of a topic to be of different kinds.
    """
    types: defaultdict[str, list[type]] = defaultdict(list)
    names = set()
    for bolt in bolts:
        names.add(bolt.name)
        for topic, reads in bolt.reads.items() if not bolt.lenient else ():
            types[topic].append(reads.tuple_type)
    return {topic: schema(topic, kinds) for topic, kinds in types.items() if topic not in names}


def is_code(code: str) -> bool:
    """Say whether an op code can be part of a topic."""
    return 0 < len(code) <= LONGEST_CODE and code.isprintable()


def is_of_spout(topic: str) -> bool:
    """Return whether spouts publish a topic; the others are named after the bolts that publish them."""
    return topic.startswith(GAMELOG) or topic in POLLED


def unlike(where: str, expected: str, found: object = MISSING) -> RecordError:
    """Return the error that says what was expected and found; without ``found``, nothing was."""
    return RecordError(f"{where}: expected {expected}, got {shown(found)}")


def shown(value: object, most: int = _SHOWN) -> str:
    """Return a found value as the reason shows it: JSON, shortened to about ``most`` characters."""
    if value is MISSING:
        return "nothing"
    try:
        text = msgspec.json.encode(value).decode()
    except (OverflowError, ValueError, RecursionError):
        text = str(value) if isinstance(value, int) else f"a {type(value).__name__}"
    return text if len(text) <= most else text[:most] + "…"


def reason_of(error: Exception) -> str:
    """Return a decoder's error as a reason: where, what was expected, what was found."""
    found = _ERROR.fullmatch(str(error))
    what, where = (found["what"], found["where"] or "$") if found else (str(error), "$")
    if missing := _MISSING.fullmatch(what):
        return f"{where}.{missing[1]}: expected a value, got nothing"
    return f"{where}: {what[:1].lower()}{what[1:]}".replace("`", "")


def _integer(text: str) -> int | str:
    digits = text.removeprefix("-")
    return int(text) if len(text) <= _INTEGER_DIGITS and digits.isascii() and digits.isdigit() else text


def schema(topic: str, kinds: Iterable[type]) -> Schema:
    """Return what a topic's records have to say which bolts read as these types."""
    types = tuple(dict.fromkeys(kinds))
    fields: dict[str, Field] = {}
    complete = True
    for kind in types:
        payload = payload_of(kind) if topic.startswith(GAMELOG) else kind
        complete &= payload is not None and _is_plain(payload) and (payload is kind or _has_plain_head(kind))
        for field in fields_of(payload) if payload is not None else ():
            before = fields.get(field.name, field)
            if before.kind is not field.kind:
                raise ValueError(
                    f"{topic}: expected one kind of {field.name}, but bolts declare {before.kind.value} and "
                    f"{field.kind.value}"
                )
            fields[field.name] = _both(before, field)
    complete &= all(field.kind is not Kind.OTHER for field in fields.values()) and not _HEAD & fields.keys()
    # Where no field has to be there, the fields do not say whether ``data`` is.
    complete &= not topic.startswith(GAMELOG) or any(field.required for field in fields.values())
    return Schema(types, tuple(fields.values()), complete)


def _takes_empty(kind: Any) -> bool:
    """Return whether an empty text is a value of a type."""
    try:
        msgspec.convert("", kind)
    except msgspec.ValidationError:
        return False
    return True


def _both(one: Field, other: Field) -> Field:
    """Return what fits both."""
    return replace(
        one,
        low=max(one.low, other.low),
        high=min(one.high, other.high),
        choices=tuple(choice for choice in one.choices if choice in other.choices),
        from_text=one.from_text or other.from_text,
        required=one.required or other.required,
        nullable=one.nullable and other.nullable,
    )


def _data_alone(tuple_type: type) -> type:
    """Return a Struct that reads as little of a game log's line as ``data``."""
    return msgspec.defstruct("_Data", [("data", payload_of(tuple_type) or tuple_type)], gc=False)


def payload_of(tuple_type: type) -> type | None:
    """Return the Struct that ``data`` is, None where it is none."""
    for field in msgspec.structs.fields(tuple_type):
        if field.encode_name == "data" and isinstance(inspect.type_info(field.type), inspect.StructType):
            return field.type  # type: ignore[no-any-return]
    return None


def _has_plain_head(tuple_type: type) -> bool:
    """Say whether a game log's tuple type wants nothing of ``area`` and ``ts`` that not every record has."""
    members = {
        field.encode_name: inspect.type_info(field.type) for field in msgspec.structs.fields(tuple_type)
    }
    area, ts = members.get("area"), members.get("ts")
    return (
        members.keys() - {"id"} == {"area", "ts", "data"}  # every accepted record has a name
        and _is_plain(tuple_type)
        and isinstance(area, inspect.StrType)
        and (area.min_length, area.max_length, area.pattern) == (None, None, None)
        and isinstance(ts, inspect.IntType)
        and ts == inspect.IntType(ge=ts.ge, le=ts.le)
        and (ts.ge or EARLIEST) <= EARLIEST
        and (ts.le or LATEST) >= LATEST
    )


def _is_plain(struct: type) -> bool:
    """Say whether a Struct checks nothing but its fields."""
    info = inspect.type_info(struct)
    return (
        isinstance(info, inspect.StructType)
        and not (info.array_like or info.forbid_unknown_fields or info.tag_field)
        and not hasattr(info.cls, "__post_init__")
    )


def fields_of(struct: type) -> list[Field]:
    """Return the members that a Struct declares."""
    return [
        replace(_field(field.encode_name, inspect.type_info(field.type)), required=field.required)
        for field in msgspec.structs.fields(struct)
    ]


def _field(name: str, info: inspect.Type) -> Field:
    match info:
        case inspect.Metadata(type=inner, extra=extra):
            return replace(_field(name, inner), from_text=bool((extra or {}).get("from_text")))
        case (
            inspect.UnionType(types=(inner, inspect.NoneType()))
            | inspect.UnionType(types=(inspect.NoneType(), inner))
        ):
            return replace(_field(name, inner), nullable=True)
        case inspect.StrType(min_length=low, max_length=high) if info.pattern in (None, WITHOUT_NUL):
            return Field(name, Kind.TEXT, low or 0, NO_LIMIT if high is None else high)
        case inspect.IntType(multiple_of=None):
            return Field(name, Kind.INTEGER, _low(info), _high(info))
        case inspect.FloatType(multiple_of=None, gt=None, lt=None, ge=low, le=high):
            return Field(
                name,
                Kind.NUMBER,
                -float("inf") if low is None else low,
                float("inf") if high is None else high,
            )
        case inspect.LiteralType(values=values) if all(isinstance(one, str) for one in values):
            return Field(name, Kind.CHOICE, choices=tuple(map(str, values)))
    return Field(name, Kind.OTHER)


def _low(info: inspect.IntType) -> int:
    return max(LOWEST, LOWEST if info.ge is None else info.ge, LOWEST if info.gt is None else info.gt + 1)


def _high(info: inspect.IntType) -> int:
    return min(HIGHEST, HIGHEST if info.le is None else info.le, HIGHEST if info.lt is None else info.lt - 1)
