"""One record at a time: what a game server wrote becomes the suite's tuple, or a reason why it can't. Pure.

Ids that arrive as numbers become strings, flat records become tuples, a game's own op codes the suite's.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from analytics.core.areas import Areas
from analytics.errors import RecordError

Record = dict[str, Any]

LONGEST_NAME = 200
LONGEST_CODE = 100
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_SHOWN = 60
_NOTHING = object()
_RESULTS = ("enter", "pass", "fail")

FIELDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "login_logcount": (),
    "signup_logcount": (),
    "createrole_logcount": (),
    "yuanbao_logchange": (("amount", "int"), ("reason", "name")),
    "fuben_logchange": (("fuben", "name"), ("result", "result")),
    "trunk_task_accept": (("task", "number"),),
    "trunk_task_finish": (("task", "number"),),
    "shop_logbuy": (("item", "name"), ("num", "count"), ("price", "int")),
}
"""The op codes that bolts read, and the fields of ``data`` that each needs besides ``acct``."""

_Int64 = Annotated[int, msgspec.Meta(ge=_LOWEST, le=_HIGHEST)]
_Name = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]


class _Player(msgspec.Struct, gc=False):
    acct: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]


class _Coins(msgspec.Struct, gc=False):
    amount: _Int64
    reason: _Name


class _Dungeon(msgspec.Struct, gc=False):
    fuben: _Name
    result: Literal["enter", "pass", "fail"]


class _Quest(msgspec.Struct, gc=False):
    task: _Int64


class _Purchase(msgspec.Struct, gc=False):
    item: _Name
    num: Annotated[int, msgspec.Meta(ge=1, le=_HIGHEST)]
    price: _Int64


def _lines_of(data: type[msgspec.Struct]) -> Callable[[bytes], object]:
    kind = msgspec.defstruct("_Detail", [("data", data)], gc=False)
    return msgspec.json.Decoder(kind).decode_lines


DETAILS: Mapping[str, Callable[[bytes], object]] = {
    "yuanbao_logchange": _lines_of(_Coins),
    "fuben_logchange": _lines_of(_Dungeon),
    "trunk_task_accept": _lines_of(_Quest),
    "trunk_task_finish": _lines_of(_Quest),
    "shop_logbuy": _lines_of(_Purchase),
}
"""Decoders that raise where any of many lines lacks what FIELDS says: the same checks, for whole chunks."""

PLAYERS = _lines_of(_Player)
"""Raises where any of many lines does not say who."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A usable tuple. ``changed``: it no longer reads as it came in."""

    code: str
    record: Record
    changed: bool


def is_code(code: str) -> bool:
    """Say whether an op code can be part of a topic."""
    return 0 < len(code) <= LONGEST_CODE and code.isprintable()


def decode(line: bytes, many_digits: bool = True) -> Record:
    """Return the JSON object that ``line`` is.

    Args:
        many_digits: False where the line is known to hold no run of 19 digits, so no integer past 64 bits.

    Raises:
        RecordError: it is none, or holds what no store can keep.
    """
    if b"\0" in line:
        raise RecordError(f"$: expected text without NUL bytes, got one at byte {line.index(0)}")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise RecordError(
            f"$: expected UTF-8, got {line[error.start : error.start + 4]!r} at byte {error.start}"
        ) from error
    try:
        record = msgspec.json.decode(text)
    except msgspec.ValidationError as error:
        raise RecordError(f"$: expected numbers that fit 64 bits, got {shown(text)} ({error})") from error
    except msgspec.DecodeError as error:
        raise RecordError(f"$: expected JSON, got {shown(text)} ({error})") from error
    except RecursionError as error:
        raise RecordError(f"$: expected a record of few levels, got {shown(text)}") from error
    if type(record) is not dict:
        raise _unlike("$", "object", record)
    if many_digits:
        _check_integers(record)
    return record


def mend(
    record: Record,
    areas: Areas,
    claimed: Collection[str],
    opcodes: Mapping[str, Mapping[str, str]],
    earliest: int,
    latest: int,
) -> Mended:
    """Return the tuple that ``record`` (which it may change) stands for. Raise RecordError where there is none."""
    flat = "op" not in record and ("opname" in record or "opno" in record)
    data = record if flat else _member(record, "data", "$.data")
    code, number = _code_of(record, flat)
    if flat:
        record["area"] = _area_of(record, areas)
    changed = place(record, areas, claimed, earliest, latest)
    area = record["area"]
    own = opcodes.get(areas[area].game, {})
    known = own.get(code) or (own.get(str(number)) if flat else None) or code
    changed |= _own_fields(data, known, "$" if flat else "$.data")
    if flat:
        ts = record.pop("ts")
        del record["area"]
        record["opname"] = known
        op = {"code": known} if number is None else {"code": known, "id": number}
        return Mended(known, {"op": op, "area": area, "ts": ts, "data": record}, True)
    if known != record["op"]["code"]:
        record["op"]["code"] = known
        if "opname" in data:
            data["opname"] = known
        changed = True
    if "id" in record:
        data.setdefault("id", record.pop("id"))
        record["data"] = data
        changed = True
    return Mended(known, record, changed)


def place(record: Record, areas: Areas, claimed: Collection[str], earliest: int, latest: int) -> bool:
    """Raise RecordError unless ``area`` and ``ts`` say where and when.

    An area given as a number becomes text; return whether it did.
    """
    found = area = record.get("area", _NOTHING)
    if type(area) is int:
        area = record["area"] = str(area)
    if type(area) is not str:
        raise _unlike("$.area", "string", area)
    if area not in claimed:
        whose = "an area of the source's game" if area in areas else "an area that a game claims"
        raise _unlike("$.area", f"{whose} ([games.<name>.areas] of the configuration)", area)
    ts = record.get("ts", _NOTHING)
    if type(ts) is not int:
        raise _unlike("$.ts", "int", ts)
    if not earliest <= ts <= latest:
        raise _unlike("$.ts", "Unix seconds between 2000 and a day ahead", ts)
    return area is not found


def shown(value: object) -> str:
    """Return a found value as the reason shows it: JSON, shortened."""
    if value is _NOTHING:
        return "nothing"
    try:
        text = msgspec.json.encode(value).decode()
    except (OverflowError, ValueError, RecursionError):
        text = str(value) if isinstance(value, int) else f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _unlike(where: str, expected: str, found: object) -> RecordError:
    return RecordError(f"{where}: expected {expected}, got {shown(found)}")


def _member(record: Record, name: str, where: str) -> Record:
    value = record.get(name, {} if name == "data" else _NOTHING)
    if type(value) is not dict:
        raise _unlike(where, "object", value)
    return value


def _code_of(record: Record, flat: bool) -> tuple[str, object]:
    """Return op code and op number (None where there is none)."""
    if flat:
        where, code, number = "$.opname", record.get("opname", _NOTHING), record.get("opno")
        code = str(number) if code is _NOTHING else code
    else:
        op = _member(record, "op", "$.op")
        where, code, number = "$.op.code", op.get("code", _NOTHING), op.get("id")
    if type(code) is int:
        code = str(code)
    if type(code) is not str:
        raise _unlike(where, "string", code)
    if not is_code(code):
        raise _unlike(where, f"1 to {LONGEST_CODE} printable characters", code)
    return code, number


def _area_of(record: Record, areas: Areas) -> object:
    if "area" in record:
        area = record["area"]
        return str(area) if type(area) is int else area
    corpid, server = record.get("corpid", _NOTHING), record.get("server_name", _NOTHING)
    if type(corpid) not in (int, str):
        raise _unlike("$.corpid", "string", corpid)
    if type(server) is not str:
        raise _unlike("$.server_name", "string", server)
    area = areas.of_server(str(corpid), server)
    if area is None:
        raise _unlike("$.server_name", f"a server of corpid {shown(corpid)} in [games.<name>.areas]", server)
    return area.id


def _own_fields(data: Record, code: str, prefix: str) -> bool:
    """Check the fields that ``code`` needs, mend them in place, and return whether any had to be."""
    fields = FIELDS.get(code)
    if fields is None:
        return False
    changed = _field(data, "acct", "acct", prefix)
    for name, kind in fields:
        changed |= _field(data, name, kind, prefix)
    return changed


def _field(data: Record, name: str, kind: str, prefix: str) -> bool:
    found = data.get(name, _NOTHING)
    value = found
    if kind in ("acct", "name"):
        if type(value) is int and _LOWEST <= value <= _HIGHEST:
            value = data[name] = str(value)
        if type(value) is not str:
            raise _unlike(f"{prefix}.{name}", "string", found)
        if len(value) > LONGEST_NAME or (kind == "acct" and not value):
            raise _unlike(f"{prefix}.{name}", f"1 to {LONGEST_NAME} characters", found)
        if "\0" in value:
            raise _unlike(f"{prefix}.{name}", "characters other than NUL", found)
    elif kind == "result":
        if value not in _RESULTS:
            raise _unlike(f"{prefix}.{name}", "enter, pass or fail", found)
    else:
        if kind == "number" and type(value) is str and len(value) < 20 and value.isascii():
            value = int(value) if value.removeprefix("-").isdigit() else value
            data[name] = value
        if type(value) is not int:
            raise _unlike(f"{prefix}.{name}", "int", found)
        if not _LOWEST <= value <= _HIGHEST:
            raise _unlike(f"{prefix}.{name}", "an integer of 64 bits", found)
        if kind == "count" and value < 1:
            raise _unlike(f"{prefix}.{name}", "int ≥ 1", found)
    return value is not found


def _check_integers(record: Record) -> None:
    rest: list[tuple[str, object]] = [("$", record)]
    while rest:
        where, value = rest.pop()
        if type(value) is dict:
            rest.extend((f"{where}.{key}", member) for key, member in value.items())
        elif type(value) is list:
            rest.extend((f"{where}[{place}]", member) for place, member in enumerate(value))
        elif type(value) is int and not _LOWEST <= value <= _HIGHEST:
            raise _unlike(where, "an integer of 64 bits", value)
