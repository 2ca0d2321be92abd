"""The payment spout: polls who paid what, and publishes each snapshot that says something new.

An answer is complete: an account that paid before and is left out of it has paid nothing, and the snapshot says so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
import msgspec

from analytics.config import Config
from analytics.core.areas import Area, Areas
from analytics.errors import RecordError
from analytics.spouts.days import AreaDay, Days, day_in, key_now
from analytics.spouts.orderbook import OrderBook, OrdersOfDay
from analytics.spouts.orders import orders_of, with_rates
from analytics.spouts.outbox import JournalLine
from analytics.spouts.paid import (
    NOTHING,
    Paid,
    check,
    digest,
    encoded,
    payers_of,
    payment_tuple,
    payment_tuples,
    read_otherwise,
    text_digest,
    users_of,
)
from analytics.spouts.payers import Accts, Payers
from analytics.spouts.poller import MAX_ANSWER, Answer, BadAnswer
from analytics.spouts.polling import PollingSpout, PollingState
from analytics.spouts.rejected import Reject, counted_now, reject, waiting, writable
from analytics.spouts.rejected_payments import Rejection, ended, place
from analytics.spouts.schemas import schemas_of

NAME = "payment"
BATCH_USERS = 200_000
"""So many accounts travel together, and one answer more: a message has a largest size."""

Users = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DayAnswer:
    """What an interface says of a day, unchecked: by account, or its orders one by one."""

    users: Users
    orders: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.users) + len(self.orders or ())


class PaymentState(PollingState):
    """What outlives the process. ``settled``: per area the last day that is not asked about any more.

    ``digests`` and ``put_aside``: of each day still asked about, the last answer that is in the broker's log, and
    what of its newest answers is rejected.
    """

    settled: dict[str, int] = {}
    digests: dict[str, str] = {}
    put_aside: dict[str, list[str]] = {}


class PaymentLine(JournalLine):
    """A line of the payment journal, as far as the spout needs it again."""

    area: str
    ts: int
    users: dict[str, Paid]
    day: str = ""

    def key(self, areas: Mapping[str, Area]) -> str:
        """Return the key of the area's day, in the zone that the area has now."""
        area = areas.get(self.area)
        if self.day and area is not None:
            return AreaDay(area, area.zone.day_of(self.day)).key
        return key_now(f"{self.area}:{self.ts}", areas)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An answer that tells something new. ``payers``: who has paid on its day once it is published. ``waits``: it does not settle the day."""

    answer: Answer[AreaDay, DayAnswer]
    users: bytes
    digest: str
    payers: Accts
    waits: bool = False


class PaymentSpout(PollingSpout[AreaDay, DayAnswer, PaymentState, PaymentLine]):
    """The node ``payment``."""

    name = NAME

    def __init__(self, config: Config, areas: Areas) -> None:
        self._settings = config.payment
        super().__init__(config, areas, self._settings, PaymentState, PaymentLine)
        self._others = read_otherwise(schemas_of(config))
        self._open_keys: set[str] | None = None  # of the last plan, where there was one since the last step
        self._ended: dict[str, frozenset[str]] = {}
        """By place, what is still rejected where something was before."""

    def start(self) -> None:
        super().start()
        self._accepted = self._outbox.accepted()

    def step(self) -> None:
        super().step()
        if self._open_keys is not None:
            self._payers.keep(self._open_keys)
            self._book.keep(self._open_keys)
            self._open_keys = None

    def _open(self) -> None:
        # Where the zone of an area was changed, its days begin at other times now.
        now = partial(key_now, areas=self._areas)
        self._payers = Payers(self._config.data / "state" / "payment.sqlite")
        self._payers.rekey(now)
        state, settings = self._state, self._settings
        state.settled = {
            area: day_in(self._areas[area].zone, ts) if area in self._areas else ts
            for area, ts in state.settled.items()
        }
        state.digests = {now(key): one for key, one in state.digests.items()}
        state.put_aside = {now(key): names for key, names in state.put_aside.items()}
        self._days = Days(state.settled, settings.settle_hours * 3600, settings.since)
        self._book = OrderBook(self._config.data / "state" / "orders.sqlite", self._days)
        self._digests = dict(state.digests)  # of what was sent, acknowledged or not

    def _close(self) -> None:
        self._payers.close()
        self._book.close()

    def _plan(self, now: float) -> list[AreaDay]:
        known = dict(self._days.settled)
        days = list(self._days.open(self._areas.values(), now))
        self._changed |= self._days.settled != known
        open_keys = {day.key for day in days}
        for memory in (self._errors, self._digests, self._state.digests, self._state.put_aside):
            for key in memory.keys() - open_keys:
                del memory[key]  # in place: what arrives later writes to the same dict
        self._open_keys = open_keys
        return days

    def _ask(self, day: AreaDay) -> Iterator[DayAnswer]:
        """Yield all pages as one, unchecked."""
        area = day.area
        fields = {"game": area.game, "plat": area.plat, "area": area.id}
        users: Users = {}
        orders: list[Any] | None = None
        for page, raw in self._client.pages(fields | {"day": day.date, "ts": str(day.ts)}, MAX_ANSWER):
            try:
                if (some := orders_of(page)) is not None:
                    orders = [*(orders or ()), *some]
                if some is None or "users" in page:
                    users.update(users_of(page))
            except RecordError as error:
                raise BadAnswer(str(error), raw) from error
            if users and orders is not None:
                raise BadAnswer("$.orders: expected users or orders, got both", raw)
        yield DayAnswer(users, orders)

    def _work(self) -> None:
        """Publish the answers that tell something new: one batch a game."""
        batches: dict[str, list[Snapshot]] = {}
        users = 0
        for answer in self._answers():
            snapshot = self._snapshot(answer)
            if snapshot is not None:
                batches.setdefault(answer.question.area.game, []).append(snapshot)
            users += len(answer.result or ())
            if users >= BATCH_USERS or self._book.leaving:
                break
        self._send(batches)
        self._book.left()
        self._end_rejections()

    def _send(self, batches: Mapping[str, list[Snapshot]]) -> None:
        """Journal and publish snapshots, by game."""
        for game, found in batches.items():
            tuples = [
                part
                for one in found
                for part in payment_tuples(one.answer.question, one.answer.at, one.users)
            ]
            digests = {one.answer.question.key: one.digest for one in found}
            payers = {one.answer.question.key: one.payers for one in found}
            arrived = partial(self._arrived, digests, payers, [one.answer for one in found if not one.waits])
            self._outbox.send(game, tuples, max(one.answer.at for one in found), arrived)

    def _recover(self) -> None:
        if self._payers.complete:
            super()._recover()
        elif (accepted := next(self._accepted, None)) is None:
            self._payers.complete_now()
        else:
            self._payers.put(self._payers_after(accepted))

    def _resent(self, lines: list[PaymentLine]) -> Callable[[], None]:
        payers = self._payers_after(lines)
        self._payers.expect(payers)
        newest: dict[str, tuple[int, dict[str, Paid]]] = {}
        for line in lines:
            key = line.key(self._areas)
            at, users = newest.get(key, (line.at, {}))
            # A long snapshot is several lines, all asked for at one time.
            newest[key] = line.at, (users | line.users if at == line.at else line.users)
        digests = {key: digest(users) for key, (_, users) in newest.items()}
        self._digests.update(digests)
        return partial(self._arrived, digests, payers)

    def _payers_after(self, lines: list[PaymentLine]) -> dict[str, Accts]:
        """Return, by area's day, who has paid once these lines have arrived."""
        payers: dict[str, Accts] = {}
        for line in lines:
            key = line.key(self._areas)
            before = payers[key] if key in payers else self._payers.of(key)
            # Who was rejected is not named, and has paid what was known before.
            payers[key] = payers_of(line.users) | before.difference(line.users)
        return payers

    def _arrived(
        self,
        digests: dict[str, str],
        payers: dict[str, Accts],
        answers: Iterable[Answer[AreaDay, DayAnswer]] = (),
    ) -> None:
        self._payers.arrived(payers)
        self._state.digests.update(digests)
        for answer in answers:
            self._answered(answer.question, answer.begun)

    def _snapshot(self, answer: Answer[AreaDay, DayAnswer]) -> Snapshot | None:
        """Return what an answer tells that is new, None where it is of no use or tells nothing new."""
        day = answer.question
        if not self._days.is_open(day):
            return None  # asked before its last answer settled it
        if answer.result is None:
            self._fails(day.key, str(answer.error))
            if isinstance(answer.error, BadAnswer):
                self._put_aside(day, [Rejection.of(str(answer.error), answer.error.raw)])
            return None
        self._errors.pop(day.key, None)
        said = answer.result
        orders = self._orders_of(answer, said)
        users, rejections = orders.users, self._rejections(day, orders)
        good, bad = check(users, self._others, day.area.exchange, day.date)
        if bad and not said.users and (exchange := day.area.exchange):
            # Orders in other currencies count.
            some = {acct: part for acct in bad if (part := with_rates(users[acct], exchange, day.date))}
            good |= check(some, self._others, exchange, day.date)[0]
        if bad:
            self._fails(day.key, next(iter(bad.values())))
        rejections += [self._rejection(answer, acct, users[acct], why) for acct, why in bad.items()]
        self._put_aside(day, rejections, whole=True)
        # An account that is rejected keeps what it paid before, with the orders that this was.
        kept = bad.keys() - good
        lost = {id_: acct for id_, acct in orders.lost.items() if acct not in kept}
        self._book.leave(day, lost)
        before, payers = self._payers.of(day.key), payers_of(good)
        new, known = digest(good), self._digests.get(day.key)
        # Of a day that is open again, the payers are not known any more, but the orders are.
        left_out = (before | {*(lost.values() if known is None else ())}).difference(users)
        if not left_out and (new == known or (not payers and known is None)):
            self._unchanged += 1
            if not orders.waits:
                self._outbox.after(partial(self._answered, day, answer.begun))
            return None
        self._digests[day.key] = new
        payers |= before & bad.keys()
        self._payers.expect({day.key: payers})
        return Snapshot(answer, encoded(good | dict.fromkeys(left_out, NOTHING)), new, payers, orders.waits)

    def _orders_of(self, answer: Answer[AreaDay, DayAnswer], said: DayAnswer) -> OrdersOfDay:
        """Return what an answer says, by orders or by account."""
        day = answer.question
        if said.users:
            return self._book.take_sums(day, said.users)
        late = self._days.can_settle(day, answer.begun)
        return self._book.take(day, said.orders or [], answer.at, late)

    def _rejections(self, day: AreaDay, orders: OrdersOfDay) -> list[Rejection]:
        """Return the orders that do not count."""
        if orders.rejected:
            self._fails(day.key, orders.rejected[0].reason)
        return [Rejection.of(one.reason, msgspec.json.encode(writable(one.raw))) for one in orders.rejected]

    def _rejection(self, answer: Answer[AreaDay, DayAnswer], acct: str, paid: Any, reason: str) -> Rejection:
        """Return why an account was rejected, and the payment tuple that it would have made."""
        users = encoded({acct: writable(paid)})
        return Rejection(text_digest(users), reason, payment_tuple(answer.question, answer.at, users))

    def _put_aside(self, day: AreaDay, found: list[Rejection], whole: bool = False) -> None:
        """Keep what can't be used, each once however often the interface says it.

        ``whole``: this is all that is rejected of an answer: what was rejected before and is not in it any more has ended.
        """
        known = self._state.put_aside.get(day.key, [])
        names = frozenset(one.name for one in found)
        if whole and not names.issuperset(known):
            self._ended[place(day.area.id, day.date)] = names
            known = [name for name in known if name in names]
            self._changed = True
        source = self._outbox.source(day.area.game)
        rejects: list[Reject] = []
        for one in found:
            if one.name not in known:
                known.append(one.name)
                reason = f"{one.reason}{place(day.area.id, day.date)}"
                rejects.append(reject(NAME, source, reason, one.raw))
        self._state.put_aside[day.key] = known
        self._reject(rejects)

    def _end_rejections(self) -> None:
        """Take off the list of rejected records what newer answers no longer have, or have so that it counts."""
        if self._ended:
            found = gevent.get_hub().threadpool.apply(waiting, (self._config.data,))
            over = [one for one in found.values() if one.spout == NAME and ended(one, self._ended)]
            self._rejected.put_all(counted_now(over))
            self._ended.clear()

    def _answered(self, day: AreaDay, begun: float) -> None:
        if self._days.answered(day, begun):
            self._changed = True
