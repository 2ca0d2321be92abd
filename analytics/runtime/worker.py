"""The worker: runs bolts. One greenlet folds what comes in, another settles what was folded, side by side.

Folding goes on while the store writes: what came in meanwhile is settled together next. So a slow store
gets fewer, larger writes; when too much is pending, folding waits, the Sender drops what it can't deliver,
and the broker's log gives it back later.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import gevent

from analytics.broker.wire import Head, Message
from analytics.config import Config, areas, catalogue
from analytics.core.fold import Folder
from analytics.core.settle import PartlyIncluded
from analytics.core.writing import LostWrites
from analytics.runtime.connections import Connections
from analytics.runtime.consumer import NOTHING, Consumer, NewLog
from analytics.runtime.declarations import Declarations
from analytics.runtime.flush_schedule import FlushSchedule
from analytics.runtime.folding import Folding
from analytics.runtime.known_filter import expect_known_filter
from analytics.runtime.lost_writes import Losses, LossNote
from analytics.runtime.node import Node
from analytics.runtime.pending import Pending
from analytics.runtime.rate_notes import RateNotes
from analytics.runtime.recovery import Recovery
from analytics.runtime.settler import Settler
from analytics.spouts.rejected import Rejected
from analytics.system.tasks import TaskGroup

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
"""Between looks at what is due while nothing comes."""

T = TypeVar("T")


class Worker(Node):
    """Runs the bolts of the given names in this process."""

    role = "bolts"

    def __init__(self, config: Config, bolts: Iterable[str], name: str) -> None:
        self.name = name
        self._config = config
        known = catalogue(config)
        self._bolts = {bolt: known[bolt] for bolt in bolts}
        self._pending = Pending(self._bolts, config.worker.max_pending_tuples)
        self._folding = Folding(Folder(self._bolts.values(), areas(config)), self._pending)
        self._schedule = FlushSchedule(config.worker.flush_seconds, config.worker.max_pending_tuples)
        self._consumer: Consumer | None = None
        self._recovery: Recovery | None = None
        self._folded = 0
        self._settled_at = time.time()
        self._newest = 0.0

    def start(self) -> None:
        """Connect to broker and store; the greenlets wait for them as long as it takes."""
        config, found = self._config, areas(self._config)
        self._connections = connections = Connections(config, self.name, self._topics())
        self._rejected = Rejected(config)
        self._settler = Settler(
            self._bolts,
            found,
            connections.store,
            connections.outlet,
            config.worker.max_known_accts,
            config.documents.keep_days,
        )
        self._tasks = TaskGroup(self.name)
        self._tasks.include(connections.reporter.tasks)
        self._tasks.spawn(self._fold_for_ever)

    def step(self) -> None:
        """Wait a second; raise what ended one of the greenlets, if any has.

        Where the store has lost writes, begin again: nothing that was read from it before can be believed. Likewise where
        another instance got half as far as messages that were folded together: they are then folded one by one.
        """
        try:
            self._tasks.check(1.0)
        except LostWrites as lost:
            logger.error("%s", lost)
            self._begin_again()
        except PartlyIncluded as partly:
            logger.warning("%s", partly)
            self._folding.hold_nothing()
            self._begin_again()
        else:
            if self._recovery is not None:
                self._recovery.refresh()

    def _begin_again(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        """Settle what was folded, then let go of everything."""
        self._tasks.stopping = True
        self._pending.work.set()
        self._tasks.stop(10)
        if self._consumer:
            self._consumer.close()
            self._consumer = None
        self._connections.close()

    def state(self) -> dict[str, Any]:
        """Return what ``status`` shows: positions per bolt, what is pending, and why nothing moves if nothing does."""
        consumer, recovery = self._consumer, self._recovery
        errors = [
            self._connections.error,
            recovery.error if recovery else "",
            self._connections.reporter.error,
            consumer.error if consumer else "",
        ]
        return {
            "bolts": sorted(self._bolts),
            "folded": self._folded,
            "pending": self._pending.tuples if consumer else 0,
            "skipped": consumer.skipped if consumer else 0,
            "lost_writes": recovery.bolts if recovery else [],
            "newest": self._newest,
            "settled_at": self._settled_at,
            "error": next(filter(None, errors), ""),
        }

    def _topics(self) -> list[str]:
        return sorted({topic for bolt in self._bolts.values() for topic in bolt.reads})

    def _fold_for_ever(self) -> None:
        consumer = self._consumer = self._prepare()
        self._tasks.spawn(self._settle_for_ever)
        while not self._tasks.stopping:
            try:
                for message in consumer.messages(IDLE_SECONDS):
                    self._fold(message, consumer.heads[message.topic])
                    gevent.sleep(0)
                    self._pending.wait_for_room(self._tasks)
            except NewLog as other:
                self._pending.wait_until_settled(self._tasks)
                self._persist(expect_known_filter, self._connections.store, self._connections.refill)
                if self._recovery is not None:
                    self._persist(self._recovery.abandon)
                consumer.restart(other.log)
                self._folding.begin(self._persist(self._connections.refill.state).heads)
                nothing = {bolt: dict.fromkeys(heads, NOTHING) for bolt, heads in self._pending.heads.items()}
                self._pending.begin(other.log, nothing)

    def _prepare(self) -> Consumer:
        """Learn from the store where each bolt stands, and report that to the broker."""
        connections = self._connections
        self._persist(connections.store.ensure_indexes, self._bolts)
        self._persist(expect_known_filter, connections.store, connections.refill)
        saved = self._persist(self._settler.load_positions)
        logs = {log for log, _ in saved.values()}
        # Bolts that stand in different logs start from scratch: their documents know what they include.
        log = logs.pop() if len(logs) == 1 else ""
        heads = {
            name: {
                topic: saved[name][1].get(topic, NOTHING) if log and name in saved else NOTHING
                for topic in bolt.reads
            }
            for name, bolt in self._bolts.items()
        }
        self._recovery = Recovery(connections.store, connections.refill, self._persist(self._settler.lost))
        again = self._persist(self._recovery.begin, saved, heads)
        self._persist(RateNotes(self._config, connections.store).refuse_lost, self._bolts)
        self._persist(
            Declarations(self._config, connections.store).note_first_runs, self._bolts, connections.refill
        )
        log = log or (self._recovery.log if again else "")
        first = {
            topic: min((one[topic] for one in heads.values() if topic in one), key=lambda head: head.number)
            for topic in self._topics()
        }
        self._pending.begin(log, heads)
        self._folding.begin(self._persist(connections.refill.state).heads)
        connections.reporter.tell(log, heads, again=bool(again))
        return Consumer(connections.live, connections.refill, log, first, again)

    def _fold(self, message: Message, head: Head) -> None:
        self._folding.take(message, head)
        self._folded += message.header.count
        self._newest = max(self._newest, message.header.at)
        self._schedule.folded(time.monotonic(), own=message.topic in self._bolts)

    def _settle_for_ever(self) -> None:
        while not self._tasks.stopping:
            self._pending.work.wait()
            self._pending.work.clear()
            self._wait_for_more()
            if self._pending.tuples:
                self._settle()
        if self._pending.tuples:
            self._settle()

    def _wait_for_more(self) -> None:
        self._schedule.begin(time.monotonic())
        while not self._tasks.stopping and (
            wait := self._schedule.wait(time.monotonic(), self._pending.tuples)
        ):
            gevent.sleep(wait)

    def _settle(self) -> None:
        self._folding.fold_held()
        changes = self._pending.take()
        self._put_aside()
        begin = time.monotonic()
        self._persist(self._settler.settle, changes)
        self._schedule.settled(time.monotonic() - begin)
        self._pending.settled()
        self._settled_at = time.time()
        if self._recovery is not None:
            self._persist(self._recovery.end, changes.heads)
        self._connections.reporter.tell(changes.log, changes.heads)

    def _put_aside(self) -> None:
        """Keep the lines that no bolt can use, before the positions say that they are done with."""
        unusable, self._folding.unusable = self._folding.unusable, []
        for source, one in unusable:
            self._rejected.put(spout=self.name, source=source, reason=one.reason, raw=one.line)

    def _persist(self, action: Callable[..., T], *arguments: object) -> T:
        """Do something with the store, however long it is away."""
        try:
            return self._connections.persist(action, *arguments)
        except LostWrites as lost:
            # The next start reads the note, and then the Queue again.
            note = {lost.bolt: LossNote(lost.what, lost.includes)}
            self._connections.persist(Losses(self._connections.store).save, note)
            raise
