"""What a role interface may say of a role, checked, and written as a tuple. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any, cast

import msgspec

from analytics.core.areas import Area
from analytics.core.schema import MISSING, Schema, schema, shown, unlike
from analytics.core.tuples import EARLIEST, Syncuser
from analytics.errors import RecordError
from analytics.spouts.outbox import JournalLine
from analytics.spouts.rejected import writable
from analytics.spouts.schemas import SCHEMAS

Found = Mapping[str, Any]

Role = dict[str, Any]
"""A role's state at ``ts``: ``game``, ``area``, ``plat``, ``ts``, and the fields that bolts read, in this order. Fields that the
interface left out are missing. ``left``: see :class:`analytics.core.tuples.Syncuser`."""

_IDS = ("game", "area", "plat", "uid", "acctid")


class RoleFields:
    """What bolts read of a role.

    Attributes:
        schema: what a tuple has to say.
        fields: those that an interface gives.
        values: the names of all fields of a role, in their order.
        line: the Struct of a line of the syncuser journal: a role with its record's name and the time at which it was asked for.
    """

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        """``schemas``: what bolts read, by topic."""
        types = schemas["syncuser"].types if "syncuser" in schemas else ()
        self.schema = schema("syncuser", [Syncuser, *types])
        self.fields = [
            one for one in self.schema.fields if one.name not in ("area", "ts", "left", "at", "id")
        ]
        self.values = ("game", "area", "plat", "ts", *(field.name for field in self.fields))
        line: list[tuple[str, Any] | tuple[str, Any, Any]] = [
            *((name, str) for name in _IDS),
            ("ts", int),
            *((field.name, Any, None) for field in self.fields if field.name not in _IDS),
        ]
        self.line = cast(type[JournalLine], msgspec.defstruct("RoleLine", line, bases=(JournalLine,)))


BUILT_IN = RoleFields(SCHEMAS)
"""What the built-in bolts read."""

_PLAT = replace(next(one for one in BUILT_IN.fields if one.name == "uid"), name="plat")

_DIGEST_BYTES = 16
_TIME_BYTES = 8


def roles_of(page: Found) -> list[Any]:
    """Return a page's ``roles``, unchecked. Raise RecordError where it has none."""
    roles = page.get("roles", MISSING)
    if not isinstance(roles, list):
        raise unlike("$.roles", "an array", roles)
    return roles


def role_of(found: Found, area: Area, latest: int, of: RoleFields = BUILT_IN) -> Role:
    """Return a role of ``area`` as a tuple says it. Raise RecordError naming the field.

    Ids that arrive as numbers become text. Fields that no bolt reads are left out: a role is new only where one of those that
    some bolt reads changed.

    Args:
        latest: the greatest ``ts`` that can be (Unix seconds).
        of: what bolts read.
    """
    ts = found.get("ts", MISSING)
    if type(ts) is not int:
        raise unlike("$.ts", "int", ts)
    if not EARLIEST <= ts <= latest:
        raise unlike("$.ts", "Unix seconds between 2000 and a day ahead", ts)
    role = {"game": area.game, "area": area.id, "plat": area.plat, "ts": ts}
    if found.get("plat") is not None:
        role["plat"] = found["plat"]
        _PLAT.correct(role, "$")
    for field in of.fields:
        value = found.get(field.name)
        if value is not None or field.required:
            if field.name in found:
                role[field.name] = value
            field.correct(role, "$")
    if len(of.schema.types) > 1 and (fault := of.schema.fault(msgspec.json.encode(role))):
        raise RecordError(fault)
    return role


def sorted_out(
    found: Iterable[Any], area: Area, latest: int, of: RoleFields = BUILT_IN
) -> tuple[list[Role], list[tuple[str, bytes]]]:
    """Return the roles that can be used, and of each other one the reason why not and its text."""
    good: list[Role] = []
    bad: list[tuple[str, bytes]] = []
    for one in found:
        try:
            good.append(role_of(_asked_for(one, area), area, latest, of))
        except RecordError as error:
            bad.append((str(error), json.dumps(writable(one), ensure_ascii=False).encode()))
    return good, bad


def _asked_for(found: Any, area: Area) -> Found:
    """Return one of an answer's roles. Raise RecordError where it says that it is another area's."""
    if not isinstance(found, dict):
        raise unlike("$", "an object", found)
    for name, own in (("area", area.id), ("game", area.game)):
        value = found.get(name)
        if value is not None and (not isinstance(value, str | int) or str(value) != own):
            raise RecordError(f'$.{name}: expected "{own}", which was asked for, got {shown(value)}')
    return found


def remembered(role: Role, before: bytes | None, of: RoleFields = BUILT_IN) -> bytes:
    """Return what the spout remembers of a role once this state of it is published.

    That is a digest of the state, and the newest ``ts`` with the acct at which the role was then.
    ``before``: what it remembered until then.
    """
    ts: int
    acct: str
    digest = text_digest(msgspec.json.encode([role.get(name) for name in of.values]))
    newer = (role["ts"], role["acctid"]), _seen(before)
    ts, acct = max(newer, key=itemgetter(0))  # of one ts what comes later
    return digest + ts.to_bytes(_TIME_BYTES, "big") + acct.encode()


def is_known(state: bytes, before: bytes | None) -> bool:
    """Say whether both are of the same state of a role."""
    return before is not None and state[:_DIGEST_BYTES] == before[:_DIGEST_BYTES]


def lacks_acct(before: bytes) -> bool:
    """Say whether it was written by an earlier version, which did not remember where a role was."""
    return len(before) == _DIGEST_BYTES


def left_acct(role: Role, before: bytes | None) -> str | None:
    """Return what the tuple of a role's state says in ``left``, given what is remembered of the role."""
    ts, acct = _seen(before)
    if not acct or acct == role["acctid"]:
        return None
    return acct if role["ts"] >= ts else str(role["acctid"])


def _seen(before: bytes | None) -> tuple[int, str]:
    if before is None or lacks_acct(before):
        return 0, ""
    time = before[_DIGEST_BYTES:][:_TIME_BYTES]
    return int.from_bytes(time, "big"), before[_DIGEST_BYTES + _TIME_BYTES :].decode()


def acct_of_state(state: bytes) -> str:
    """Return the acct that is remembered of a role; "" where none is."""
    return _seen(state)[1]


def with_acct(state: bytes, acct: str) -> bytes:
    """Return what is remembered of a role as if it belonged to another acct. Its next state then counts as a new one."""
    return state[: _DIGEST_BYTES + _TIME_BYTES] + acct.encode()


def text_digest(text: bytes) -> bytes:
    """Return 16 bytes that tell ``text`` from others."""
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()


def role_tuple(role: Role, at: int) -> bytes:
    """Return the syncuser tuple, without ``id``, of a role asked for ``at`` (Unix milliseconds)."""
    return b'{"at":%d,' % at + msgspec.json.encode(role)[1:]
