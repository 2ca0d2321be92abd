"""Rejected payments of days that are not asked about any more, as records of their own: no answer of the interface will have them."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from analytics.config import Config, areas
from analytics.core.payment_days import named_day
from analytics.core.tuples import UNDECODABLE
from analytics.spouts.paid import text_digest
from analytics.spouts.payment import NAME, PaymentState
from analytics.spouts.positions import StateFile
from analytics.spouts.rejected import Reject

SOURCE = f"{NAME}/rejected"
_LEAST, _NUMBERS = 10**17, 9 * 10**17
"""Numbers of 18 digits, the most that a record's name has, are made of what a payment says: put in twice, it counts once."""


class _Said(msgspec.Struct):
    """A payment tuple without a name. Orders, and answers that are none, are of another shape."""

    area: str
    ts: int
    users: dict[str, Any]


_said = msgspec.json.Decoder(_Said)


class SettledPayment(NamedTuple):
    """A rejected payment and the line of a journal, with the number of its name, that puts it in."""

    reject: Reject
    n: int
    line: bytes


def settled_payments(config: Config, rejects: Iterable[Reject]) -> Iterator[SettledPayment]:
    """Yield those of the rejected payments whose day is settled.

    Each is what the last answer said, as what newer answers no longer have has left the list. So it is newer than all that counts.
    """
    there = areas(config)
    settled = StateFile(config.data / "state" / f"{NAME}.json").load(PaymentState).settled
    for one in rejects:
        try:
            said = _said.decode(one.original())
        except UNDECODABLE:
            continue
        ts = named_day(one.original(), there) or said.ts
        if one.spout == NAME and ts <= settled.get(said.area, 0):
            digest = text_digest(msgspec.json.encode([said.area, said.ts, said.users], order="sorted"))
            n = _LEAST + int(digest, 16) % _NUMBERS
            record = msgspec.json.decode(one.original()) | {"at": int(time.time() * 1000)}
            yield SettledPayment(one, n, msgspec.json.encode({"id": f"{SOURCE}:{n}"} | record) + b"\n")
