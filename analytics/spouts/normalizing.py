"""One record at a time: what a game server wrote becomes the suite's tuple, or a reason why it can't. Pure.

Flat records become tuples, a game's own op codes the suite's, and ids what the bolts declare: most are text.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from analytics.core.areas import Areas
from analytics.core.schema import HIGHEST, LONGEST_CODE, LOWEST, MISSING, Schema, is_code, shown, unlike
from analytics.errors import RecordError

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Normalized:
    """A usable tuple. ``changed``: it no longer reads as it came in."""

    code: str
    record: Record
    changed: bool


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
        raise unlike("$", "object", record)
    if many_digits:
        _check_integers(record)
    return record


def normalize(
    record: Record,
    areas: Areas,
    claimed: Collection[str],
    opcodes: Mapping[str, Mapping[str, str]],
    schemas: Mapping[str, Schema],
    earliest: int,
    latest: int,
) -> Normalized:
    """Return the tuple that ``record`` (which it may change) stands for.

    Args:
        claimed: the areas whose records are right here.
        opcodes: per game, its own op codes to the suite's.
        schemas: what a record has to say, by op code.
        earliest, latest: the bounds of its ``ts`` (Unix seconds).

    Raises:
        RecordError: there is none. The message names the field, what was expected and what was found.
    """
    flat = "op" not in record and ("opname" in record or "opno" in record)
    data = record if flat else _member(record, "data", "$.data")
    code, number = _code_of(record, flat)
    if flat:
        record["area"] = _area_of(record, areas)
    changed = place(record, areas, claimed, earliest, latest)
    area = record["area"]
    own = opcodes.get(areas[area].game, {})
    known = own.get(code) or (own.get(str(number)) if flat else None) or code
    if not flat and "id" in record:
        data.setdefault("id", record.pop("id"))
        record["data"] = data
        changed = True
    schema = schemas.get(known)
    if schema is not None:
        changed |= schema.correct(data, "$" if flat else "$.data")
    if flat:
        ts = record.pop("ts")
        del record["area"]
        record["opname"] = known
        op = {"code": known} if number is None else {"code": known, "id": number}
        return Normalized(known, {"op": op, "area": area, "ts": ts, "data": record}, True)
    if known != record["op"]["code"]:
        record["op"]["code"] = known
        if "opname" in data:
            data["opname"] = known
        changed = True
    return Normalized(known, record, changed)


def place(record: Record, areas: Areas, claimed: Collection[str], earliest: int, latest: int) -> bool:
    """Raise RecordError unless ``area`` and ``ts`` say where and when.

    An area given as a number becomes text; return whether it did.
    """
    found = area = record.get("area", MISSING)
    if type(area) is int:
        area = record["area"] = str(area)
    if type(area) is not str:
        raise unlike("$.area", "string", area)
    if area not in claimed:
        whose = "an area of the source's game" if area in areas else "an area that a game claims"
        raise unlike("$.area", f"{whose} ([games.<name>.areas] of the configuration)", area)
    ts = record.get("ts", MISSING)
    if type(ts) is not int:
        raise unlike("$.ts", "int", ts)
    if not earliest <= ts <= latest:
        milliseconds = earliest <= ts // 1000 <= latest
        hint = "; that looks like milliseconds: divide it by 1000" if milliseconds else ""
        raise RecordError(f"{unlike('$.ts', 'Unix seconds between 2000 and a day ahead', ts)}{hint}")
    return area is not found


def _member(record: Record, name: str, where: str) -> Record:
    value = record.get(name, {} if name == "data" else MISSING)
    if type(value) is not dict:
        raise unlike(where, "object", value)
    return value


def _code_of(record: Record, flat: bool) -> tuple[str, object]:
    """Return op code and op number (None where there is none)."""
    if flat:
        where, code, number = "$.opname", record.get("opname", MISSING), record.get("opno")
        code = str(number) if code is MISSING else code
    else:
        op = _member(record, "op", "$.op")
        where, code, number = "$.op.code", op.get("code", MISSING), op.get("id")
    if type(code) is int:
        code = str(code)
    if type(code) is not str:
        raise unlike(where, "string", code)
    if not is_code(code):
        raise unlike(where, f"1 to {LONGEST_CODE} printable characters", code)
    return code, number


def _area_of(record: Record, areas: Areas) -> object:
    if "area" in record:
        area = record["area"]
        return str(area) if type(area) is int else area
    corpid, server = record.get("corpid", MISSING), record.get("server_name", MISSING)
    if type(corpid) not in (int, str):
        raise unlike("$.corpid", "string", corpid)
    if type(server) is not str:
        raise unlike("$.server_name", "string", server)
    area = areas.of_server(str(corpid), server)
    if area is None:
        raise unlike("$.server_name", f"a server of corpid {shown(corpid)} in [games.<name>.areas]", server)
    return area.id


def _check_integers(record: Record) -> None:
    rest: list[tuple[str, object]] = [("$", record)]
    while rest:
        where, value = rest.pop()
        if type(value) is dict:
            rest.extend((f"{where}.{key}", member) for key, member in value.items())
        elif type(value) is list:
            rest.extend((f"{where}[{place}]", member) for place, member in enumerate(value))
        elif type(value) is int and not LOWEST <= value <= HIGHEST:
            raise unlike(where, "an integer of 64 bits", value)
