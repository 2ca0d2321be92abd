"""What a payment interface may say of a day's payments, checked, and written as a tuple. Pure.

Lines of the spout's journal are checked by the same rules, which follow from :class:`analytics.core.tuples.Payment`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from analytics.broker.wire import PORTION_BYTES, portions
from analytics.core.exchange import Exchange
from analytics.core.schema import Schema, fields_of, schema, shown, unlike
from analytics.core.tuples import EARLIEST, LONGEST_NAME, PaidAmount, Payment, cents
from analytics.core.tuples import Paid as PaidOfTuple
from analytics.errors import RecordError
from analytics.spouts.days import AreaDay
from analytics.spouts.schemas import SCHEMAS

Paid = dict[str, Any]

_FIELDS = fields_of(PaidAmount)


def read_otherwise(schemas: Mapping[str, Schema]) -> Schema:
    """Return what bolts of one's own want of payments, given what bolts read, by topic."""
    types = schemas["payment"].types if "payment" in schemas else ()
    return schema("payment", [one for one in types if one is not Payment])


_BUILT_IN = read_otherwise(SCHEMAS)

NOTHING: Paid = {"times": 0, "amount": 0.0}
"""What an account has paid that an answer leaves out."""


def users_of(page: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a page's ``users``, unchecked. Raise RecordError where it has none.

    An empty array stands for no users, as languages write it that do not tell it from an empty object.
    """
    users = page.get("users")
    if users == []:
        return {}
    if not isinstance(users, dict):
        if "users" not in page:
            raise RecordError("$.users: expected an object, or an array $.orders, got nothing")
        raise unlike("$.users", "an object", users)
    return users


def paid(value: Any, where: str = "$.users.*") -> Paid:
    """Return what one account paid, as a payment tuple says it: in whole cents. Raise RecordError naming the field."""
    found = _amount(value, where)
    more = value.get("other_currencies", [])
    if not isinstance(more, list):
        raise unlike(f"{where}.other_currencies", "an array", more)
    return found | (
        {"other_currencies": [_amount(one, f"{where}.other_currencies[]") for one in more]} if more else {}
    )


def _amount(value: Any, where: str) -> Paid:
    if not isinstance(value, dict):
        raise unlike(where, "an object", value)
    for field in _FIELDS:
        field.correct(value, where)
    refunded, currency = value.get("refunded") or 0, value.get("currency")
    if refunded > value["amount"]:
        raise unlike(f"{where}.refunded", f"at most the amount, {shown(value['amount'])}", refunded)
    found = {"times": value["times"], "amount": cents(value["amount"]) / 100}
    if refunded:
        found["refunded"] = cents(refunded) / 100
    return found | ({"currency": currency} if currency else {})


def check(
    users: Mapping[str, Any], others: Schema = _BUILT_IN, exchange: Exchange | None = None, day: str = ""
) -> tuple[dict[str, Paid], dict[str, str]]:
    """Return the accounts that can be used, and for each other one the reason why not.

    Args:
        others: see :func:`read_otherwise`.
        exchange: of the area where its game has several currencies; ``day`` is then the area's, ``YYYY-MM-DD``.
    """
    good: dict[str, Paid] = {}
    bad: dict[str, str] = {}
    for acct, value in users.items():
        try:
            if not 1 <= len(acct) <= LONGEST_NAME or "\0" in acct:
                raise RecordError(
                    f"$.users: expected accounts' names of 1 to {LONGEST_NAME} characters, got {shown(acct)}"
                )
            one = paid(value)
            if exchange is not None:
                exchange.converted(msgspec.convert(one, PaidOfTuple), day)
            elif "other_currencies" in one:
                raise unlike(
                    "$.users.*.other_currencies", "none, as the game has no rates", one["other_currencies"]
                )
            if others.types and (fault := others.fault(_alone(acct, one))):
                raise RecordError(fault)
            good[acct] = one
        except RecordError as error:
            # The account comes last: faults are counted by what their reason says before "got".
            bad[acct] = f"{error} for account {shown(acct)}"
    return good, bad


def _alone(acct: str, one: Paid) -> bytes:
    return msgspec.json.encode({"area": "", "ts": EARLIEST, "users": {acct: one}})


def payers_of(users: Mapping[str, Paid]) -> frozenset[str]:
    """Return the accounts that paid anything: an answer may leave others out, or list them with nothing paid."""
    return frozenset(acct for acct, one in users.items() if one["times"] or one["amount"])


def encoded(users: Mapping[str, Any]) -> bytes:
    """Return ``users`` as JSON, the same for the same users in any order."""
    return msgspec.json.encode({acct: users[acct] for acct in sorted(users)})


def digest(users: Mapping[str, Paid]) -> str:
    """Return what tells one day's payments from others: the same whether who paid nothing is named or left out."""
    return text_digest(encoded({acct: users[acct] for acct in payers_of(users)}))


def text_digest(text: bytes) -> str:
    """Return what tells a text from others."""
    return hashlib.sha256(text).hexdigest()[:32]


def payment_tuple(day: AreaDay, at: int, users: bytes) -> bytes:
    """Return the payment tuple, without ``id``, of a snapshot taken ``at`` (Unix milliseconds)."""
    area = day.area
    head = {"game": area.game, "area": area.id, "plat": area.plat, "ts": day.ts, "day": day.date, "at": at}
    return msgspec.json.encode(head)[:-1] + b',"users":' + users + b"}"


_AROUND = len('"":,')


def payment_tuples(day: AreaDay, at: int, users: bytes) -> list[bytes]:
    """Return a snapshot as payment tuples: several where it is long, each of some accounts."""
    if len(users) <= PORTION_BYTES:
        return [payment_tuple(day, at, users)]
    each = msgspec.json.decode(users, type=dict[str, msgspec.Raw])
    pieces = portions(each.items(), len(each), lambda pair: len(pair[0]) + len(bytes(pair[1])) + _AROUND)
    return [payment_tuple(day, at, msgspec.json.encode(dict(piece))) for piece in pieces]
