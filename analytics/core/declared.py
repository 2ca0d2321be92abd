"""Parts of bolts that are declared as data: fields of records, and measures of expressions over them. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import msgspec

from analytics.core.bolt import Bolt
from analytics.core.expressions import Parsed, ValueKind, condition_of, derived_of, value_of
from analytics.core.latest import Latest, LatestBy, StoredKind, Table
from analytics.core.measures import Count, Distinct, Extreme, Getter, Measure, Sum, Tally, fitting
from analytics.core.rates import percent, ratio
from analytics.core.schema import GAMELOG, Kind, fields_of, payload_of
from analytics.core.tuples import Acct, AcctName, Amount, Gamelog, Name, NamedGamelog, Ts

FUNCTIONS: Mapping[str, Callable[..., Any]] = {"percent": percent, "ratio": ratio}
"""What an expression over a document's measures may call."""

_TYPES: Mapping[ValueKind, Any] = {"text": Name, "int": Amount, "number": float, "flag": bool}
_STORED: Mapping[ValueKind, StoredKind] = {"int": "integer", "number": "double"}
_KINDS: Mapping[Kind, ValueKind] = {
    Kind.TEXT: "text",
    Kind.CHOICE: "text",
    Kind.INTEGER: "int",
    Kind.NUMBER: "number",
}


@dataclass(frozen=True)
class FieldType:
    """What a field of a record is. ``kind`` None: nothing that an expression can use. ``optional``: it may be missing or null."""

    kind: ValueKind | None
    type: Any
    optional: bool = False

    @classmethod
    def of(cls, kind: ValueKind, name: str) -> "FieldType":
        """Return the type of a field that nobody has declared before."""
        return cls(kind, AcctName if name == "acct" and kind == "text" else _TYPES[kind])

    def maybe(self) -> "FieldType":
        """Return the same, where it may be missing."""
        return self if self.optional else FieldType(self.kind, self.type | None, True)


def known_fields(bolts: Iterable[Bolt]) -> dict[tuple[str, str], FieldType]:
    """Return what bolts read, by topic and field."""
    found: dict[tuple[str, str], FieldType] = {}
    for bolt in bolts:
        for topic, reads in bolt.reads.items():
            payload = payload_of(reads.tuple_type) if topic.startswith(GAMELOG) else reads.tuple_type
            if payload is None:
                continue
            types = {one.encode_name: one.type for one in msgspec.structs.fields(payload)}
            for one in fields_of(payload):
                kind = "flag" if types[one.name] is bool else _KINDS.get(one.kind)
                optional = one.nullable or not one.required
                found.setdefault((topic, one.name), FieldType(kind, types[one.name], optional))
    return found


def path_of(topic: str) -> str:
    """Return the attribute path, with its last dot, that leads from a tuple of a topic to its fields."""
    return "data." if topic.startswith(GAMELOG) else ""


def tuple_type(name: str, topic: str, fields: Mapping[str, FieldType], named: bool = False) -> type:
    """Return the Struct of a topic's tuples that reads these fields. ``named``: and the record's name, which tells what is newer."""
    if fields == {"acct": FieldType.of("text", "acct")} and topic.startswith(GAMELOG) and not named:
        return Gamelog[Acct]  # as other bolts do, which share its decoding
    required = [(field, one.type) for field, one in fields.items() if not one.optional]
    optional = [(field, one.type, None) for field, one in fields.items() if one.optional]
    if topic.startswith(GAMELOG):
        struct = msgspec.defstruct(name, [*required, *optional], gc=False)
        return NamedGamelog[struct] if named else Gamelog[struct]  # type: ignore[valid-type]
    return msgspec.defstruct(name, [("area", str), ("ts", Ts), *required, *optional], gc=False)


ADDED = ("count", "sum", "tally")
"""Kinds of measures whose numbers may be added up."""


@dataclass(frozen=True)
class Declaration:
    """A measure: its kind, the value that it looks at, and the condition. ``on``: topics, empty for all.

    ``per``: of each value of which there is a newest one; ``values``: those that are counted.
    """

    kind: str
    of: Parsed | None
    where: Parsed | None
    on: tuple[str, ...]
    per: Parsed | None = None
    values: tuple[str, ...] = ()

    @property
    def expressions(self) -> list[Parsed]:
        """All that it says of fields."""
        return [one for one in (self.of, self.where, self.per) if one is not None]


def adds_up(measures: Iterable[Declaration]) -> bool:
    """Whether the numbers of several documents may be added up: those of any measure."""
    return any(one.kind in ADDED for one in measures)


def measure_of(
    name: str, said: Declaration, topics: Iterable[str], fields: Mapping[str, FieldType]
) -> Measure[Any]:
    """Return the measure that shows in the field ``name``.

    Args:
        topics: those that it reads.
        fields: what the names of its expressions are.
    """
    path, on = path_of(next(iter(topics))), said.on or None
    if said.of is None:
        return Count(condition_of(said.where, None, path), on)
    optional = [field for field, one in fields.items() if one.optional]
    lacks = said.of.may_lack_value(optional)
    kind = said.of.kind(kinds_of(fields))
    as_text = said.kind == "distinct" and kind != "text"
    of: str | Getter = "".join([path, *said.of.names])  # a path is read more quickly
    if lacks or as_text or not said.of.is_name:
        of = value_of(said.of, path, 0 if said.kind == "sum" else None, as_text)
    if said.kind == "sum":
        return Sum(of, condition_of(said.where, None, path), on)
    where = condition_of(said.where, said.of if lacks else None, path)
    if said.kind == "distinct":
        return Distinct(of, list_field=f"_{name}", where=where, on=on)
    if said.kind == "tally":
        return Tally(of, said.values, where=where, on=on)
    if said.per is not None:
        each: str | Getter = f"{path}{said.per.names[0]}"
        if fields[said.per.names[0]].kind != "text":
            each = value_of(said.per, path, as_text=True)
        show = partial(_how_many, name)
        return LatestBy(each, "order", (of,), list_field=f"_{name}", show=show, where=where, on=on)
    if said.kind == "latest":
        return Latest(of, "order", None, where=where, on=on, kind=_STORED.get(kind, "text"))
    return Extreme(of, min if said.kind == "min" else max, where=where, on=on)


def _how_many(name: str, table: Table) -> dict[str, Any]:
    """Return, by value, of how many keys it is the newest."""
    counts = Counter(value for _, value in table.values())
    return {name: {str(value): counts[value] for value in sorted(counts)}}


def kinds_of(fields: Mapping[str, FieldType]) -> dict[str, ValueKind]:
    """Return the kinds of those fields that expressions can use."""
    return {name: one.kind for name, one in fields.items() if one.kind is not None}


def finish_of(derived: Mapping[str, Parsed]) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """Return what computes the derived fields of a document from its measures: 0 where they have no value."""
    if not derived:
        return None
    computed = {name: derived_of(parsed, FUNCTIONS) for name, parsed in derived.items()}

    def finish(shown: dict[str, Any]) -> dict[str, Any]:
        return {name: _number(compute(shown)) for name, compute in computed.items()}

    return finish


def _number(value: int | float | None) -> int | float:
    if value is None:
        return 0
    if isinstance(value, int):
        return fitting(value)
    return value if isfinite(value) else 0
