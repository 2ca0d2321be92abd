"""Attribute paths, as ``"data.acct"``: how they are read from a row, and whether a row has one. Pure."""

import difflib
import types
import typing
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Annotated, Any, Union

import msgspec

_PLAIN = (str, int, float, bool, type(None))
"""Types whose attributes the class itself has."""


def getter(of: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the function that reads ``of``, an attribute path or a function already, from a row."""
    return attrgetter(of) if isinstance(of, str) else of


def path_fault(tuple_type: Any, path: str) -> str:
    """Return ``expected …, got …`` where tuples of a type lack an attribute path; "" where they have it."""
    if _has(tuple_type, path.split(".")):
        return ""
    known = list(_paths(tuple_type))
    by_name = {one.rpartition(".")[2]: one for one in known}
    near = by_name.get(path.rpartition(".")[2]) or next(iter(difflib.get_close_matches(path, known, n=1)), "")
    hint = f"; did you mean {near}?" if near else ""
    return f'expected a path that its tuples have, one of {", ".join(known)}, got "{path}"{hint}'


def _has(kind: Any, parts: list[str]) -> bool:
    """Return whether each value of a type has these attributes, one of the other; also where that can't be known."""
    if not parts:
        return True
    kind, (part, *rest) = _bare(kind), parts
    if typing.get_origin(kind) in (Union, types.UnionType):
        return all(_has(one, parts) for one in typing.get_args(kind))
    struct = _struct(kind)
    if struct is None:
        return kind not in _PLAIN or (hasattr(kind, part) and not rest)
    members = {field.name: field.type for field in msgspec.structs.fields(kind)} if rest else {}
    return hasattr(struct, part) and _has(members.get(part, Any), rest)


def _paths(kind: Any, before: str = "") -> Iterator[str]:
    """Yield the paths of fields, those of a Struct within a Struct in place of it."""
    for field in msgspec.structs.fields(kind):
        path, inner = f"{before}{field.name}", _bare(field.type)
        if _struct(inner) is None:
            yield path
        else:
            yield from _paths(inner, f"{path}.")


def _bare(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind


def _struct(kind: Any) -> type | None:
    """Return the Struct that a type is, without its parameters; None where it is none."""
    one = typing.get_origin(kind) or kind
    return one if isinstance(one, type) and issubclass(one, msgspec.Struct) else None
