"""Turns payments into the currency of their game, before messages are folded. Pure.

The unit of rounding is what an acct paid, and what of it was refunded, on a day of an area in one currency: each is turned into
cents of the game's currency, exactly, and rounded once, half to even. Everything else adds up such cents, in any order.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from analytics.core.areas import Area, Areas
from analytics.core.tuples import (
    MOST_MONEY,
    MOST_TIMES,
    UNDECODABLE,
    Converted,
    Paid,
    PaidAmount,
    PeriodStart,
    cents,
)
from analytics.errors import RecordError

Rates = Mapping[str, Sequence[tuple[str, str]]]
"""By currency, from which day on (``YYYY-MM-DD``, ascending) one of it is how much of the game's: a decimal number as text."""

_first = itemgetter(0)


@dataclass(frozen=True, eq=False)
class Exchange:
    """The currencies of an area.

    Attributes:
        game: the game's name, for reasons.
        currency: the game's.
        own: that of payments which name none.
        rates: of the game.
    """

    game: str
    currency: str
    own: str
    rates: Rates

    def of(self, currency: str) -> "Exchange":
        """Return the same of an area whose payments are in ``currency`` where they name none; empty: as here."""
        return replace(self, own=currency) if currency else self

    def rate(self, currency: str, day: str) -> str:
        """Return what one of ``currency`` is on ``day``, by the newest rate until then. Raise RecordError if there is none."""
        if currency == self.currency:
            return "1"
        known = self.rates.get(currency, ())
        place = bisect_right(known, day, key=_first)
        if not place:
            raise RecordError(
                f'$.users.*.currency: expected a currency that has a rate on {day} or before in games.{self.game}.rates, got "{currency}"'
            )
        return known[place - 1][1]

    def converted(self, paid: Paid, day: str) -> list[Converted]:
        """Return what an acct paid on ``day`` in each currency. Raise RecordError if it can't be said in the game's currency."""
        found = [self._converted(one, day) for one in paid.amounts]
        names = [one.currency for one in found]
        if len(set(names)) < len(names):
            raise RecordError(
                f"$.users.*.other_currencies: expected each currency once, got {', '.join(names)}"
            )
        if sum(one.times for one in paid.amounts) > MOST_TIMES:
            raise RecordError(f"$.users.*.times: expected at most {MOST_TIMES} in all currencies, got more")
        if sum(one.gross_converted for one in found) > 100 * MOST_MONEY:
            raise RecordError(f"$.users.*.amount: expected at most {MOST_MONEY} {self.currency}, got more")
        return found

    def _converted(self, paid: PaidAmount, day: str) -> Converted:
        currency = paid.currency or self.own
        rate = self.rate(currency, day)
        gross, refunds = cents(paid.amount), cents(paid.refunded or 0)
        return Converted(currency, gross, refunds, _times(gross, rate), _times(refunds, rate), rate)


_exact = lru_cache(Fraction)


def _times(amount: int, rate: str) -> int:
    """Return cents at a rate, rounded half to even."""
    return round(amount * _exact(rate)) if amount and rate != "1" else amount


class PaidAccts(msgspec.Struct, gc=False):
    """Whose payments a snapshot has, and what it says of each."""

    area: str
    ts: PeriodStart
    users: dict[str, Any]


decode_snapshot = msgspec.json.Decoder(PaidAccts).decode


class Converter:
    """Turns messages of the payment spout into the currencies of their games."""

    def __init__(self, areas: Mapping[str, Area]) -> None:
        self._areas = areas

    @classmethod
    def of(cls, areas: Areas) -> "Converter | None":
        """Return what converts the payments of these areas; None if there is nothing to convert."""
        found = {area.id: area for area in areas.values() if area.exchange is not None}
        return cls(found) if found else None

    def convert(self, body: bytes) -> tuple[bytes, list[tuple[bytes, str]]]:
        """Return a message in the games' currencies, and what has no rate: tuples, each with the reason.

        Lines that are no payments stay as they are.
        """
        lines: list[bytes] = []
        left: list[tuple[bytes, str]] = []
        for line in body.split(b"\n"):
            try:
                lines.append(self._converted(line, left))
            except UNDECODABLE:
                lines.append(line)
        return b"\n".join(lines), left

    def _converted(self, line: bytes, left: list[tuple[bytes, str]]) -> bytes:
        snapshot = decode_snapshot(line)
        area = self._areas.get(snapshot.area)
        if area is None or area.exchange is None:
            return line
        day, users = local_day(area, snapshot.ts), {}
        record = msgspec.json.decode(line)
        for acct, raw in snapshot.users.items():
            paid = msgspec.convert(raw, Paid)
            try:
                converted = area.exchange.converted(paid, day)
            except RecordError as error:
                left.append((msgspec.json.encode({**record, "users": {acct: raw}}), str(error)))
                continue
            users[acct] = {
                **raw,
                "times": sum(one.times for one in paid.amounts),
                "amount": sum(one.gross_converted for one in converted) / 100,
                "refunded": sum(one.refunds_converted for one in converted) / 100,
                "other_currencies": [],
                "converted": converted,
            }
        return msgspec.json.encode({**record, "users": users})


def local_day(area: Area, ts: int) -> str:
    """Return the day of an area that ``ts`` lies in, as ``YYYY-MM-DD``."""
    return f"{area.zone.local(area.zone.start('day', ts)):%Y-%m-%d}"
