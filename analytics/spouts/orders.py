"""Orders that a payment interface names one by one: checked, each counted once, and added up by account. Pure."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec

from analytics.core.exchange import Exchange
from analytics.core.periods import Zone
from analytics.core.schema import fields_of, shown, unlike
from analytics.core.tuples import MOST_MONEY, Player, Text, cents
from analytics.errors import RecordError
from analytics.spouts.days import day_in

MONEY = msgspec.Meta(ge=0, le=MOST_MONEY)
WHERE = "$.orders.*"


class _OrderFields(msgspec.Struct):
    """An order as an interface says it. ``refunded``: how much was refunded; None: nothing, or all where ``status`` says so."""

    order_id: Player
    acct: Player
    amount: Annotated[float, MONEY]
    status: Literal["paid", "refunded"]
    refunded: Annotated[float, MONEY] | None = None
    currency: Text | None = None


_FIELDS = fields_of(_OrderFields)


@dataclass(frozen=True, slots=True)
class Order:
    """What is known of an order that was paid on the day that starts at ``day``. Amounts in cents; ``currency`` "": the area's.

    ``listed``: whether its day counts it. Otherwise the newest answer for that day lacks it, and another day may have it.
    """

    day: int
    acct: str
    amount: int
    currency: str
    refunded: int
    listed: bool = True

    def in_zone(self, zone: Zone) -> "Order":
        """Return the same with the start of its day in this zone, less than half a day from that in its former one."""
        start = day_in(zone, self.day)
        return self if start == self.day else replace(self, day=start)


@dataclass(frozen=True, slots=True)
class RejectedOrder:
    """An order that can't be used, as it was said, and why. ``counts``: its id and the start of the other day on which it counts, if it does."""

    raw: Any
    reason: str
    counts: tuple[str, int] | None = None


def orders_of(page: Mapping[str, Any]) -> list[Any] | None:
    """Return a page's ``orders``, unchecked, None where it has none. Raise RecordError where they are no array.

    What a page calls so beside ``users`` is no business of the suite, as any other field: it may be their number.
    """
    orders = page.get("orders")
    if page.get("users") or ("users" in page and not isinstance(orders, list)):
        return None
    if orders is not None and not isinstance(orders, list):
        raise unlike("$.orders", "an array", orders)
    return orders


def ids_of(said: Iterable[Any]) -> list[str]:
    """Return the ids that orders have, as far as they have any."""
    return [
        str(one["order_id"])
        for one in said
        if isinstance(one, dict) and isinstance(one.get("order_id"), str | int)
    ]


def taken(
    said: Iterable[Any],
    day: int,
    known: Mapping[str, Order],
    date: Callable[[int], str] = str,
    own: str | None = None,
    is_open: Callable[[int], bool] = lambda day: True,
) -> tuple[dict[str, Order], list[RejectedOrder]]:
    """Return the orders of an answer by id, in whatever order it names them, and those that are rejected.

    An order that is named twice counts once; once refunded, it stays so. One that differs from what is known of it is rejected, and
    counts as it is known. One that another day counts is rejected; one that another day has lost counts on this day from now on.

    Args:
        day: the start of the day that was asked about.
        known: by id, what earlier answers said.
        date: returns what reasons call the day that starts at a time.
        own: the currency of orders that name none; None: there is one currency, whatever names orders have for it.
        is_open: whether the day that starts at a time is still asked about.
    """
    found: dict[str, Order] = {}
    rejected: list[RejectedOrder] = []
    for one in said:
        id_ = next(iter(ids_of([one])), "")
        before = found.get(id_) or known.get(id_)
        counts = (id_, before.day) if before is not None and before.day != day and before.listed else None
        if before is not None and counts is None:
            before = replace(before, day=day, listed=True)
        try:
            order = _order(one, day)
            if counts is not None:
                raise _elsewhere(date(counts[1]), is_open(counts[1]))
            if before is not None:
                order = _again(before, order, own)
        except RecordError as error:
            rejected.append(RejectedOrder(one, f"{error} for order {shown(id_)}", counts))
            if before is None or counts is not None:
                continue
            order = before
        found[id_] = order
    return found, rejected


def users_of_orders(orders: Iterable[Order], exchange: Exchange | None) -> dict[str, Any]:
    """Return what each account paid, as an answer without orders says it.

    ``exchange``: None: there is one currency, whatever names orders have for it.
    """
    sums: dict[str, dict[str, list[int]]] = {}
    own = exchange.own if exchange is not None else ""
    for one in orders:
        currency = one.currency or own
        amounts = sums.setdefault(one.acct, {}).setdefault(currency, [0, 0, 0])
        for place, number in enumerate((1, one.amount, one.refunded)):
            amounts[place] += number
    users = {}
    for acct, by_currency in sums.items():
        if exchange is None and len(by_currency) > 1:
            by_currency = {"": [sum(some) for some in zip(*by_currency.values(), strict=True)]}
        first, *more = [_paid(currency, *by_currency[currency]) for currency in sorted(by_currency)]
        users[acct] = first | ({"other_currencies": more} if more else {})
    return users


def with_rates(users_paid: Mapping[str, Any], exchange: Exchange, day: str) -> dict[str, Any]:
    """Return what an account paid, as :func:`users_of_orders` says it, in the currencies that have a rate on ``day``; empty: in none."""
    found = []
    for one in [users_paid, *users_paid.get("other_currencies", ())]:
        with suppress(RecordError):
            exchange.rate(one["currency"], day)
            found.append({name: one[name] for name in ("times", "amount", "refunded", "currency")})
    return {**found[0], "other_currencies": found[1:]} if found else {}


def _paid(currency: str, times: int, amount: int, refunded: int) -> dict[str, Any]:
    return {"times": times, "amount": amount / 100, "refunded": refunded / 100, "currency": currency}


def _order(value: Any, day: int) -> Order:
    if not isinstance(value, dict):
        raise unlike(WHERE, "an object", value)
    for field in _FIELDS:
        field.correct(value, WHERE)
    refunded = value.get("refunded")
    if refunded is None:
        refunded = value["amount"] if value["status"] == "refunded" else 0
    if not refunded and value["amount"] and value["status"] == "refunded":
        raise unlike(f"{WHERE}.refunded", "above 0 or missing where the status is refunded", refunded)
    if refunded > value["amount"]:
        raise unlike(f"{WHERE}.refunded", f"at most the amount, {shown(value['amount'])}", refunded)
    currency = value.get("currency") or ""
    return Order(day, value["acct"], cents(value["amount"]), currency, cents(refunded))


def _elsewhere(day: str, is_open: bool) -> RecordError:
    """Return why an order is rejected that counts on another day."""
    if is_open:
        return RecordError(
            f"{WHERE}.order_id: expected an order that is listed for one day, got one that the newest answer for {day} lists as well"
        )
    return RecordError(
        f"{WHERE}.order_id: expected an order that counts on no settled day, got one that counts on {day}"
    )


def _again(before: Order, now: Order, own: str | None) -> Order:
    """Return what is known of an order after it was named again. Raise RecordError where that differs."""
    found = {
        "acct": (before.acct, now.acct),
        "amount": (before.amount / 100, now.amount / 100),
        "currency": (own, own) if own is None else (before.currency or own, now.currency or own),
    }
    for name, (old, new) in found.items():
        if old != new:
            raise unlike(f"{WHERE}.{name}", f"{shown(old)}, as before", new)
    return replace(now, refunded=max(before.refunded, now.refunded))
