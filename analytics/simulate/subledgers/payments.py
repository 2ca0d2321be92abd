"""Payments of each acct, by day."""

from collections import defaultdict
from collections.abc import Iterable

from analytics.simulate.events import PAY, Event
from analytics.simulate.subledgers.common import Documents, Fields, Servers, money


class PaymentLedger:
    """Per area and day, each acct's number of payments and their sum in cents."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._paid: dict[tuple[str, int], dict[str, list[int]]] = defaultdict(dict)

    def note(self, area: str, day: int, events: Iterable[Event]) -> None:
        """Enter events of the day that starts at ``day``."""
        for _, op, args in events:
            if op == PAY:
                paid = self._paid[area, day].setdefault(args[1], [0, 0])
                paid[0] += 1
                paid[1] += args[2]

    def of_day(self, area: str, day: int) -> dict[str, tuple[int, int]]:
        """Return acct to (times, cents), sorted by acct."""
        paid = self._paid.get((area, day), {})
        return {acct: (paid[acct][0], paid[acct][1]) for acct in sorted(paid)}

    def days(self) -> set[tuple[str, int]]:
        """Return the areas and days with payments."""
        return set(self._paid)

    def totals(self, area: str, day: int) -> Fields:
        """Return the day's sums over all accts."""
        paid = self._paid.get((area, day), {}).values()
        return {
            "pay_amout": money(sum(cents for _, cents in paid)),
            "pay_count": sum(times for times, _ in paid),
        }

    def documents(self) -> Documents:
        """Return the documents of paysummary and payorderdetail."""
        result: Documents = {"paysummary": {}, "payorderdetail": {}}
        for (area, day), paid in self._paid.items():
            key = self._servers[area].key(day)
            result["paysummary"][f"{area}:{day}"] = (
                key
                | {"count": len(paid), "userlist": sorted(paid), "type": "payorderuser"}
                | self.totals(area, day)
            )
            for acct, (times, cents) in paid.items():
                one = {"acct": acct, "pay_count": times, "pay_amout": money(cents)}
                result["payorderdetail"][f"{area}:{day}:{acct}"] = key | one
        return result
