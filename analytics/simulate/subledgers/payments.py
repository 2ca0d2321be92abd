"""Payments of each acct, by day."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from analytics.simulate.currencies import OWN, RATE
from analytics.simulate.events import PAY, REFUND, Event
from analytics.simulate.subledgers.common import Documents, Fields, Servers, money


class DayPaid(NamedTuple):
    """What an acct paid on a day: how often, and how much and what of it was refunded in cents of some currency."""

    times: int
    gross: int
    refunds: int

    @property
    def net(self) -> int:
        """What is left of it."""
        return self.gross - self.refunds


@dataclass
class LedgerOrder:
    """An order: its id, whose it is, when it was paid (Unix seconds), how much in cents, and whether that was refunded."""

    id: str
    acct: str
    ts: int
    cents: int
    refunded: bool = False


class PaymentLedger:
    """Per area and day, each acct's payments."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._paid: dict[tuple[str, int], dict[str, list[int]]] = defaultdict(dict)
        self._orders: dict[tuple[str, int], list[LedgerOrder]] = defaultdict(list)

    def note(self, area: str, day: int, events: Iterable[Event]) -> None:
        """Enter events of the day that starts at ``day``."""
        for _, op, args in events:
            if op == PAY:
                paid = self._paid[area, day].setdefault(args[1], [0, 0, 0])
                paid[0] += 1
                paid[1] += args[2]
                orders = self._orders[area, day]
                orders.append(LedgerOrder(f"{area}-{day}-{len(orders)}", args[1], args[0], args[2]))
            elif op == REFUND:
                self._paid[area, day][args[1]][2] += args[2]
                paid_then = [
                    one for one in self._orders[area, day] if (one.acct, one.ts) == (args[1], args[3])
                ]
                next(one for one in paid_then if not one.refunded).refunded = True

    def said(self, area: str, day: int) -> dict[str, DayPaid]:
        """Return, by acct, what the interface says, in the area's currency; sorted by acct."""
        paid = self._paid.get((area, day), {})
        return {acct: DayPaid(*paid[acct]) for acct in sorted(paid)}

    def orders(self, area: str, day: int) -> list[LedgerOrder]:
        """Return the orders that were paid on a day, as they came."""
        return self._orders.get((area, day), [])

    def of_day(self, area: str, day: int) -> dict[str, DayPaid]:
        """Return the same in the game's currency."""
        server = self._servers[area]
        said = self.said(area, day)
        if server.currency == OWN[server.game]:
            return said
        rate = Fraction(RATE)
        return {
            acct: DayPaid(one.times, round(one.gross * rate), round(one.refunds * rate))
            for acct, one in said.items()
        }

    def payers(self, area: str, day: int) -> dict[str, int]:
        """Return, by acct, how many cents were paid by those who paid anything that was not refunded."""
        return {acct: one.net for acct, one in self.of_day(area, day).items() if one.net}

    def days(self) -> set[tuple[str, int]]:
        """Return the areas and days with payments."""
        return set(self._paid)

    def totals(self, area: str, day: int) -> Fields:
        """Return the day's sums over all accts."""
        paid = self.of_day(area, day).values()
        return {"pay_amout": money(sum(one.net for one in paid)), "pay_count": sum(one.times for one in paid)}

    def documents(self) -> Documents:
        """Return the documents of paysummary, payorderdetail and revenueday."""
        result: Documents = {"paysummary": {}, "payorderdetail": {}, "revenueday": {}}
        for area, day in self._paid:
            key, paid = self._servers[area].key(day), self.of_day(area, day)
            payers = [*self.payers(area, day)]
            result["paysummary"][f"{area}:{day}"] = (
                key
                | {"count": len(payers), "userlist": payers, "type": "payorderuser"}
                | self.totals(area, day)
            )
            for acct, each in paid.items():
                one = {"acct": acct, "pay_count": each.times, "pay_amout": money(each.net)}
                result["payorderdetail"][f"{area}:{day}:{acct}"] = key | one
            result["revenueday"][f"{area}:{day}"] = key | self._revenue(area, day)
        return result

    def _revenue(self, area: str, day: int) -> Fields:
        server, paid = self._servers[area], self.of_day(area, day).values()
        gross, refunds = sum(one.gross for one in paid), sum(one.refunds for one in paid)
        fields: Fields = {"gross": money(gross), "refunds": money(refunds), "net": money(gross - refunds)}
        fields |= {"gross_in": {}, "refunds_in": {}, "net_in": {}, "converted": {}, "rates": ""}
        if any(one.currency != OWN[one.game] for one in self._servers.values() if one.game == server.game):
            said, currency = self.said(area, day).values(), server.currency
            own = sum(one.gross for one in said), sum(one.refunds for one in said)
            fields |= {"gross_in": {currency: money(own[0])}, "refunds_in": {currency: money(own[1])}}
            fields |= {
                "net_in": {currency: money(own[0] - own[1])},
                "converted": {currency: money(gross - refunds)},
            }
            fields["rates"] = f"{currency} {1 if currency == OWN[server.game] else RATE}"
        return fields
