"""On which day each order counts: on the day whose newest answer lists it, and on one day at a time.

An interface may move an order to another day. Answers for the two days come in any order, and the process may die in between:

    first day without it: journaled ──▶ noted in the file ──▶ listed for another day: noted in the file ──▶ journaled

So an order never counts on two days. While both days' newest answers list it, it stays on the first one, and the other day is not
settled, as the first one may still lose it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from analytics.core.exchange import local_day
from analytics.spouts.days import HALF_DAY, AreaDay, Days
from analytics.spouts.knownorders import KnownOrders
from analytics.spouts.orders import RejectedOrder, ids_of, taken, users_of_orders


@dataclass(frozen=True, slots=True)
class OrdersOfDay:
    """What an answer says.

    Attributes:
        users: what each account paid.
        rejected: the orders that do not count.
        lost: the acct of each order that the day counted and the answer lacks, by id.
        waits: whether an order that another day counts may still come to this one: it has to be asked about again.
    """

    users: dict[str, Any]
    rejected: list[RejectedOrder]
    lost: dict[str, str]
    waits: bool


class OrderBook:
    """The orders of all areas. Raise AnalyticsError where the file can't be used. One greenlet at a time may use it.

    Args:
        path: the file, which is made with the first order.
        days: which days are still asked about.
    """

    def __init__(self, path: Path, days: Days) -> None:
        self._path = path
        self._days = days
        self._file = KnownOrders(path) if path.exists() else None
        self._contested: dict[str, dict[str, int]] = {}
        """By day, the orders that another open day counts, and when the day was first asked about of the answers in a row that list them."""
        self._waiting: dict[str, int] = {}
        """The days that would be settled but for such orders, and when they were last asked about."""
        self._leaving: dict[str, list[str]] = {}

    @property
    def leaving(self) -> bool:
        """Whether orders have left their days, and that is not kept yet."""
        return bool(self._leaving)

    def take(self, day: AreaDay, said: list[Any], at: int, late: bool) -> OrdersOfDay:
        """Return what an answer says. An order that it moves to ``day`` counts there from now on.

        Args:
            at: when it was asked for.
            late: whether the answer would settle the day.
        """
        if self._file is None:
            if not said:
                return OrdersOfDay({}, [], {}, False)
            self._file = KnownOrders(self._path)
        area, zone = day.area, day.area.zone
        known = self._file.of(area.id, ids_of(said))
        # Where the area's zone was changed, days begin at other times now.
        known = {id_: one.in_zone(zone) for id_, one in known.items()}
        own = area.exchange.own if area.exchange else None
        found, rejected = taken(
            said, day.ts, known, partial(local_day, area), own, partial(self._is_open, day)
        )
        self._file.put(area.id, {id_: one for id_, one in found.items() if known.get(id_) != one})
        listed = self._file.listed(area.id, day.ts - HALF_DAY, zone.day_after(day.ts, 1) - HALF_DAY)
        lost = {id_: acct for id_, acct in listed.items() if id_ not in found}
        users = users_of_orders(found.values(), area.exchange)
        return OrdersOfDay(users, rejected, lost, self._waits(day, rejected, at, late))

    def take_sums(self, day: AreaDay, users: dict[str, Any]) -> OrdersOfDay:
        """Return an answer without orders: which of them its sums have is unknown, so they stay where they count."""
        self._contested.pop(day.key, None)
        self._waiting.pop(day.key, None)
        return OrdersOfDay(users, [], {}, False)

    def leave(self, day: AreaDay, orders: Iterable[str]) -> None:
        """Take note that the day's next snapshot lacks these orders, to be kept by :meth:`left`: no other answer may be taken before."""
        if ids := list(orders):
            self._leaving.setdefault(day.area.id, []).extend(ids)

    def left(self) -> None:
        """Keep what has left its day. To be called when the payments without it are journaled: other days may have it then."""
        for area, ids in self._leaving.items():
            assert self._file is not None
            self._file.unlist(area, ids)
        self._leaving.clear()

    def keep(self, keys: Collection[str]) -> None:
        """Forget what is known of other days than these."""
        for memory in (self._contested, self._waiting):
            for key in memory.keys() - keys:
                del memory[key]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _is_open(self, day: AreaDay, other: int) -> bool:
        return self._days.is_open(AreaDay(day.area, other))

    def _waits(self, day: AreaDay, rejected: Iterable[RejectedOrder], at: int, late: bool) -> bool:
        """Return whether some orders may still come to ``day``.

        Two days whose answers go on listing orders of each other do not wait for ever: a day whose own last answer still lists the
        order, and was asked for later, no longer counts.
        """
        first = self._contested.pop(day.key, {})
        since: dict[str, int] = {}
        waits = False
        for id_, other in (one.counts for one in rejected if one.counts is not None):
            if self._is_open(day, other):
                since[id_] = first.get(id_, at)
                waits |= self._waiting.get(AreaDay(day.area, other).key, 0) <= since[id_]
        if since:
            self._contested[day.key] = since
        if waits and late:
            self._waiting[day.key] = at
        else:
            self._waiting.pop(day.key, None)
        return waits
