"""Whether journaled payments are in other currencies than their game's: only then does it matter whether the game has rates."""

import gzip
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from analytics.core.tuples import UNDECODABLE

_NAMED = b'"currency"'
_AT_ONCE = 1 << 20
"""Bytes of lines between two moments at which other greenlets run."""


class _JournaledAmount(msgspec.Struct, gc=False):
    times: int = 0
    amount: float = 0
    currency: str | None = None


class _JournaledPaid(_JournaledAmount, gc=False):
    other_currencies: list[_JournaledAmount] = []


class _JournaledPayment(msgspec.Struct, gc=False):
    area: str
    users: dict[str, _JournaledPaid]


_payment = msgspec.json.Decoder(_JournaledPayment)


def foreign_currency(folders: Iterable[Path], currency: str, own: Mapping[str, str]) -> str | None:
    """Return a currency, other than a game's, that some payment of the game is in; "" if all are in the game's.

    Args:
        folders: where journals lie, plain or gzipped. Where they have no payments at all, nobody knows, and None is returned.
        currency: the game's.
        own: by area of the game, the currency of payments that name none.
    """
    # Most journals name no currency anywhere, and need not be decoded.
    wanted = b"" if any(one != currency for one in own.values()) else _NAMED
    seen = False
    for path in (path for folder in folders for path in sorted(folder.glob("payment_*.txt*"))):
        for line in _lines(path):
            seen = True
            if wanted in line and (found := _foreign(line, currency, own)):
                return found
    return "" if seen else None


def _foreign(line: bytes, currency: str, own: Mapping[str, str]) -> str:
    try:
        snapshot = _payment.decode(line)
    except UNDECODABLE:
        return ""
    default = own.get(snapshot.area)
    if default is None:
        return ""
    for paid in snapshot.users.values():
        for one in (paid, *paid.other_currencies):
            if (name := one.currency or default) != currency and (one.times or one.amount):
                return name
    return ""


def _lines(path: Path) -> Iterator[bytes]:
    """Yield a journal's lines, as far as it can be read: one may be gzipped or deleted meanwhile."""
    opened: Any = gzip.open if path.suffix == ".gz" else open
    size = 0
    try:
        with opened(path, "rb") as file:
            for line in file:
                yield line
                size += len(line)
                if size >= _AT_ONCE:
                    size = 0
                    time.sleep(0)
    except (OSError, EOFError, zlib.error):
        return
