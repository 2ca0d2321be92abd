"""What was paid and refunded, by day and by currency, as the page *Payment* shows it."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from analytics.config.currencies import has_rates, sign
from analytics.web.answers import Date, Final, Money, Quotient, means
from analytics.web.display import money as shown_money
from analytics.web.look import Look
from analytics.web.place import start_of
from analytics.web.reading.arithmetic import money


class RevenueDay(msgspec.Struct, frozen=True, kw_only=True):
    """What was paid on one day and what of it was refunded, in the game's currency."""

    day: Date
    ts: Annotated[int, means("the start of the day in the scope's time zone, Unix seconds")]
    gross: Annotated[Money, means("All payments of the day, before refunds.", "Gross")]
    refunds: Annotated[
        Money, means("The part of these payments that has been refunded, on whatever day.", "Refunds")
    ]
    refund_rate: Annotated[Quotient, means("Refunds divided by gross.", "Refund rate")]
    net: Annotated[Money, means("Gross less refunds: the revenue.", "Net")]
    final: Final


class CurrencySum(msgspec.Struct, frozen=True, kw_only=True):
    """All days of the scope, by the currency that was paid in."""

    currency: Annotated[str, means("The currency that was paid in.", "Currency")]
    sign: Annotated[str, means("its sign, or its name where the configuration has no sign")]
    gross: Annotated[Money, means("All payments in the currency, before refunds.", "Gross", "amount")]
    refunds: Annotated[
        Money, means("The part of these payments that has been refunded.", "Refunds", "amount")
    ]
    net: Annotated[Money, means("Gross less refunds.", "Net", "amount")]
    converted: Annotated[Money, means("The net amount in the game's currency, each day's at its own rate.", "In the game's currency")]  # fmt: skip


def revenue_days(look: Look) -> list[RevenueDay]:
    """Return every day of the place."""
    found, place = look.by_day("revenueday", ("gross", "refunds", "net")), look.place
    days = []
    for day in place.days():
        gross, refunds, net = map(money, found.get(day, (0, 0, 0)))
        days.append(
            RevenueDay(
                day=str(day),
                ts=start_of(place.local, day),
                gross=gross,
                refunds=refunds,
                refund_rate=round(refunds / gross, 4) if gross else 0,
                net=net,
                final=place.ended(day),
            )
        )
    return days


def by_currency(look: Look) -> list[CurrencySum]:
    """Return all days together by currency, what brought in most first; nothing where the game has one currency."""
    game = look.data.config.games[look.place.game]
    if not has_rates(game):
        return []
    tables = {"gross_in": "gross", "refunds_in": "refunds", "net_in": "net", "converted": "converted"}
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for document, _ in look.documents("revenueday", [*tables, "gross", "refunds", "net"]):
        if not document.get("gross_in"):
            # Counted while the game had no rates: all of it is in the game's currency.
            document = {
                f"{table}": {game.currency: document.get(field, 0)}
                for table, field in zip(tables, ("gross", "refunds", "net", "net"), strict=True)
            }
        for table, field in tables.items():
            for currency, amount in document.get(table, {}).items():
                sums[currency][field] += round(100 * amount)
    found = [
        CurrencySum(
            currency=one,
            sign=sign(game, one),
            **{name: money(amounts[name] / 100) for name in tables.values()},
        )
        for one, amounts in sums.items()
    ]
    return sorted(found, key=lambda one: (-one.converted, one.currency))


def with_signs(found: Iterable[CurrencySum]) -> list[dict[str, Any]]:
    """Return rows for a table: the amounts in each currency with its sign."""
    return [
        {"currency": one.currency, "converted": one.converted}
        | {name: shown_money(getattr(one, name), one.sign) for name in ("gross", "refunds", "net")}
        for one in found
    ]
