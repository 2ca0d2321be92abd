"""What of a payment interface's answers is rejected: until a newer answer of the day no longer has it. Pure."""

import re
from collections.abc import Container, Mapping
from typing import Any, NamedTuple

import msgspec

from analytics.core.tuples import UNDECODABLE
from analytics.spouts.paid import encoded, text_digest
from analytics.spouts.rejected import Reject

_PLACE = re.compile(r" \(area \S+, \d{4}-\d{2}-\d{2}\)\Z")


class Rejection(NamedTuple):
    """What can't be used of an answer: an account, an order, or all of it. ``name`` tells it from others."""

    name: str
    reason: str
    raw: bytes

    @classmethod
    def of(cls, reason: str, raw: bytes) -> "Rejection":
        """Return one that is named after its text."""
        return cls(text_digest(raw), reason, raw)


class _Users(msgspec.Struct):
    users: dict[str, Any]


_users = msgspec.json.Decoder(_Users)


def place(area: str, day: str) -> str:
    """Return how reasons end: where the rejected payments belong."""
    return f" (area {area}, {day})"


def ended(one: Reject, by_place: Mapping[str, Container[str]]) -> bool:
    """Return whether a rejection has ended. ``by_place``: the names of what is rejected now, of those areas' days of which an answer says it."""
    match = _PLACE.search(one.reason)
    return match is not None and match[0] in by_place and _name(one) not in by_place[match[0]]


def _name(one: Reject) -> str:
    """Return the name of a rejection. That of an account does not depend on when it was asked for."""
    raw = one.original()
    try:
        return text_digest(encoded(_users.decode(raw).users))
    except UNDECODABLE:
        return text_digest(raw)
