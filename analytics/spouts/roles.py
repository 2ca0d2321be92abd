"""What a role interface may say of a role, checked, and written as a tuple. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from analytics.core.areas import Area
from analytics.core.schema import shown
from analytics.core.tuples import EARLIEST, LONGEST_NAME, MOST_GRADE
from analytics.errors import RecordError

LOWEST, HIGHEST = -(2**63), 2**63 - 1
_NOTHING = object()

Found = Mapping[str, Any]


class Role(msgspec.Struct, omit_defaults=True, gc=False):
    """A role as its game server has it at ``ts``. What the interface left out and nobody counts is None.

    ``left``: see :class:`analytics.core.tuples.Syncuser`.
    """

    game: str
    area: str
    plat: str
    ts: int
    uid: str
    grade: int
    rest_yuanbao: int
    acctid: str
    name: str | None = None
    birthday: int | None = None
    score: int | None = None
    login_time: int | None = None
    left: str | None = None


_VALUES = tuple(name for name in Role.__struct_fields__ if name != "left")
_DIGEST_BYTES = 16
_TIME_BYTES = 8


def roles_of(page: Found) -> list[Any]:
    """Return a page's ``roles``, unchecked. Raise RecordError where it has none."""
    roles = page.get("roles", _NOTHING)
    if not isinstance(roles, list):
        raise RecordError(f"$.roles: expected an array, got {_shown(roles)}")
    return roles


def role_of(found: Found, area: Area, latest: int) -> Role:
    """Return a role of ``area`` as a tuple says it. Raise RecordError naming the field.

    Ids that arrive as numbers become text. Fields that no tuple has are left out: a role is new only where one
    of a tuple's fields changed.

    Args:
        latest: the greatest ``ts`` that can be (Unix seconds).
    """
    ts = _int(found, "ts")
    if not EARLIEST <= ts <= latest:
        raise RecordError(f"$.ts: expected Unix seconds between 2000 and a day ahead, got {ts}")
    return Role(
        game=area.game,
        area=area.id,
        plat=area.plat if found.get("plat") is None else _text(found, "plat"),
        ts=ts,
        uid=_text(found, "uid"),
        grade=_int(found, "grade", 0, MOST_GRADE),
        rest_yuanbao=_int(found, "rest_yuanbao"),
        acctid=_text(found, "acctid"),
        name=None if found.get("name") is None else _text(found, "name", 0),
        birthday=_int_or_none(found, "birthday"),
        score=_int_or_none(found, "score"),
        login_time=_int_or_none(found, "login_time"),
    )


def sorted_out(found: Iterable[Any], area: Area, latest: int) -> tuple[list[Role], list[tuple[str, bytes]]]:
    """Return the roles that can be used, and of each other one the reason why not and its text."""
    good: list[Role] = []
    bad: list[tuple[str, bytes]] = []
    for one in found:
        try:
            good.append(role_of(_asked_for(one, area), area, latest))
        except RecordError as error:
            bad.append((str(error), json.dumps(one, ensure_ascii=False).encode()))
    return good, bad


def _asked_for(found: Any, area: Area) -> Found:
    """Return one of an answer's roles. Raise RecordError where it says that it is another area's."""
    if not isinstance(found, dict):
        raise RecordError(f"$: expected an object, got {shown(found)}")
    for name, own in (("area", area.id), ("game", area.game)):
        if found.get(name) is not None and str(found[name]) != own:
            raise RecordError(f'$.{name}: expected "{own}", which was asked for, got {shown(found[name])}')
    return found


def remembered(role: Any, before: bytes | None) -> bytes:
    """Return what the spout remembers of a role once this state of it is published.

    That is a digest of the state, and the newest ``ts`` with the acct at which the role was then.

    Args:
        role: a Role, or a journal's line.
        before: what it remembered until then.
    """
    ts: int
    acct: str
    digest = text_digest(msgspec.json.encode([getattr(role, name) for name in _VALUES]))
    newer = (role.ts, role.acctid), _seen(before)
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
    if not acct or acct == role.acctid:
        return None
    return acct if role.ts >= ts else role.acctid


def _seen(before: bytes | None) -> tuple[int, str]:
    if before is None or lacks_acct(before):
        return 0, ""
    time = before[_DIGEST_BYTES:][:_TIME_BYTES]
    return int.from_bytes(time, "big"), before[_DIGEST_BYTES + _TIME_BYTES :].decode()


def text_digest(text: bytes) -> bytes:
    """Return 16 bytes that tell ``text`` from others."""
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()


def role_tuple(role: Role, at: int) -> bytes:
    """Return the syncuser tuple, without ``id``, of a role asked for ``at`` (Unix milliseconds)."""
    return b'{"at":%d,' % at + msgspec.json.encode(role)[1:]


def _text(found: Found, name: str, least: int = 1) -> str:
    value = found.get(name, _NOTHING)
    if type(value) is int and LOWEST <= value <= HIGHEST:
        value = str(value)
    if type(value) is not str:
        raise RecordError(f"$.{name}: expected string, got {_shown(value)}")
    if not least <= len(value) <= LONGEST_NAME or "\0" in value:
        raise RecordError(f"$.{name}: expected {least} to {LONGEST_NAME} characters, got {shown(value)}")
    return value


def _int(found: Found, name: str, low: int = LOWEST, high: int = HIGHEST) -> int:
    value = found.get(name, _NOTHING)
    if type(value) is not int:
        raise RecordError(f"$.{name}: expected int, got {_shown(value)}")
    if not low <= value <= high:
        bounds = "an integer of 64 bits" if low == LOWEST else f"int from {low} to {high}"
        raise RecordError(f"$.{name}: expected {bounds}, got {value}")
    return value


def _int_or_none(found: Found, name: str) -> int | None:
    return None if found.get(name) is None else _int(found, name)


def _shown(value: object) -> str:
    return "nothing" if value is _NOTHING else shown(value)
