"""The worker: runs bolts. One greenlet folds what comes in, another settles what was folded, side by side.

Folding goes on while the store writes: what came in meanwhile is settled together next. So a slow store
gets fewer, larger writes; when too much is pending, folding waits, the Sender drops what it can't deliver,
and the broker's log gives it back later.
"""

import logging
import time
from collections.abc import Iterable
from typing import Any

import gevent
from gevent.event import Event

from analytics.bolts import BOLTS
from analytics.broker.clients import Publisher, Refill, Subscriber
from analytics.broker.wire import Head, Message
from analytics.config import Config, areas
from analytics.core.fold import Folder
from analytics.errors import Unavailable
from analytics.runtime.intake import NOTHING, Intake, NewLog
from analytics.runtime.lost_writes import Loss, Losses, LostWrites
from analytics.runtime.node import Node
from analytics.runtime.outlet import Outlet, new_session
from analytics.runtime.pace import Pace
from analytics.runtime.recovery import Recovery
from analytics.runtime.reports import Reports
from analytics.runtime.settler import Changes, Settler
from analytics.spouts.rejected import Rejected
from analytics.store import open_store
from analytics.system.tasks import TaskGroup

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
IDLE_SECONDS = 0.5
BYTES_A_TUPLE = 256
"""What a tuple takes as a rule: one with a long list counts as several."""


class Worker(Node):
    """Runs the bolts of the given names in this process."""

    role = "bolts"

    def __init__(self, config: Config, bolts: Iterable[str], name: str) -> None:
        self.name = name
        self._config = config
        self._bolts = {bolt: BOLTS[bolt] for bolt in bolts}
        self._topics = sorted({topic for bolt in self._bolts.values() for topic in bolt.reads})
        self._intake: Intake | None = None
        self._recovery: Recovery | None = None
        self._heads: dict[str, dict[str, Head]] = {}
        self._settling = False
        self._room = Event()
        self._work = Event()
        self._error = ""
        self._folded = 0
        self._pace = Pace(config.worker.flush_seconds, config.worker.max_pending_tuples)
        self._settled_at = time.time()
        self._newest = 0.0

    def start(self) -> None:
        """Connect to broker and store; the greenlets wait for them as long as it takes."""
        config = self._config
        self._areas = areas(config)
        self._store = open_store(config)
        session = f"{self.name}-{new_session()}"
        self._publisher = Publisher(config.broker, session)
        self._refill = Refill(config.broker)
        self._reports = Reports(config.broker)
        self._live = Subscriber(config.broker, self._topics)
        self._rejected = Rejected(config)
        self._folder = Folder(self._bolts.values(), self._areas)
        self._settler = Settler(
            self._bolts,
            self._areas,
            self._store,
            Outlet(self._publisher, session),
            config.worker.max_known_accts,
        )
        self._tasks = TaskGroup(self.name)
        self._tasks.include(self._reports.tasks)
        self._tasks.spawn(self._fold_for_ever)

    def step(self) -> None:
        """Wait a second; raise what ended one of the greenlets, if any has.

        Where the store has lost writes, begin again: nothing that was read from it before can be believed.
        """
        try:
            self._tasks.check(1.0)
        except LostWrites as lost:
            logger.error("%s", lost)
            self.stop()
            self.start()
            return
        if self._recovery is not None:
            self._recovery.refresh()

    def stop(self) -> None:
        """Settle what was folded, then let go of everything."""
        self._tasks.stopping = True
        self._work.set()
        self._tasks.stop(10)
        if self._intake:
            self._intake.close()
            self._intake = None
        self._publisher.close()
        for client in (self._refill, self._reports, self._live):
            client.close()
        self._store.close()

    def state(self) -> dict[str, Any]:
        """Return what ``status`` shows: positions per bolt, what is pending, and why nothing moves if nothing does."""
        intake = self._intake
        return {
            "bolts": sorted(self._bolts),
            "folded": self._folded,
            "pending": self._changes.tuples if intake else 0,
            "skipped": intake.skipped if intake else 0,
            "lost_writes": self._recovery.bolts if self._recovery else [],
            "newest": self._newest,
            "settled_at": self._settled_at,
            "error": self._error
            or (self._recovery.error if self._recovery else "")
            or self._reports.error
            or (intake.error if intake else ""),
        }

    def _fold_for_ever(self) -> None:
        intake = self._intake = self._prepare()
        self._tasks.spawn(self._settle_for_ever)
        while not self._tasks.stopping:
            try:
                for message in intake.messages(IDLE_SECONDS):
                    self._fold(message, intake.heads[message.topic])
                    gevent.sleep(0)
                    self._wait_for_room()
            except NewLog as other:
                self._wait_until_settled()
                if self._recovery is not None:
                    self._persist(self._recovery.abandon)
                intake.restart(other.log)
                self._heads = {bolt: dict.fromkeys(heads, NOTHING) for bolt, heads in self._heads.items()}
                self._changes = Changes.nothing(other.log, self._bolts)

    def _prepare(self) -> Intake:
        """Learn from the store where each bolt stands, and tell the broker."""
        self._persist(self._store.ensure_indexes, self._bolts)
        saved = self._persist(self._settler.load_positions)
        logs = {log for log, _ in saved.values()}
        # Bolts that stand in different logs begin anew: their documents know what they include.
        log = logs.pop() if len(logs) == 1 else ""
        self._heads = {
            name: {
                topic: saved[name][1].get(topic, NOTHING) if log and name in saved else NOTHING
                for topic in bolt.reads
            }
            for name, bolt in self._bolts.items()
        }
        self._recovery = Recovery(self._store, self._refill, self._persist(self._settler.lost))
        again = self._persist(self._recovery.begin, saved, self._heads)
        log = log or (self._recovery.log if again else "")
        first = {
            topic: min(
                (heads[topic] for heads in self._heads.values() if topic in heads),
                key=lambda head: head.number,
            )
            for topic in self._topics
        }
        self._changes = Changes.nothing(log, self._bolts)
        self._reports.tell(log, self._heads, again=bool(again))
        return Intake(self._live, self._refill, log, first, again)

    def _fold(self, message: Message, head: Head) -> None:
        topic, header = message.topic, message.header
        lacking = {
            bolt
            for bolt, heads in self._heads.items()
            if topic in heads and heads[topic].number < header.number
        }
        folded, unusable = self._folder.fold(topic, header.number, message.body, lacking)
        for one in unusable:
            self._rejected.put(spout=self.name, source=header.source, reason=one.reason, raw=one.line)
        for bolt, deltas in folded.items():
            self._changes.add(bolt, deltas)
            self._heads[bolt][topic] = head
        self._changes.tuples += header.count
        self._changes.bytes += len(message.body)
        self._folded += header.count
        self._newest = max(self._newest, header.at)
        self._pace.folded(time.monotonic(), own=topic in self._bolts)
        self._work.set()

    def _wait_for_room(self) -> None:
        most = self._config.worker.max_pending_tuples
        while not self._tasks.stopping and (
            self._changes.tuples >= most or self._changes.bytes >= most * BYTES_A_TUPLE
        ):
            self._room.clear()
            self._room.wait(1.0)

    def _wait_until_settled(self) -> None:
        while (self._changes.tuples or self._settling) and not self._tasks.stopping:
            self._room.clear()
            self._room.wait(1.0)

    def _settle_for_ever(self) -> None:
        while not self._tasks.stopping:
            self._work.wait()
            self._work.clear()
            self._wait_for_more()
            if self._changes.tuples:
                self._settle()
        if self._changes.tuples:
            self._settle()

    def _wait_for_more(self) -> None:
        self._pace.begin(time.monotonic())
        while not self._tasks.stopping and (wait := self._pace.wait(time.monotonic(), self._changes.tuples)):
            gevent.sleep(wait)

    def _settle(self) -> None:
        changes, self._changes = self._changes, Changes.nothing(self._changes.log, self._bolts)
        changes.heads = {bolt: dict(heads) for bolt, heads in self._heads.items()}
        self._settling = True
        self._room.set()
        begin = time.monotonic()
        self._persist(self._settler.settle, changes)
        self._pace.settled(time.monotonic() - begin)
        self._settling = False
        self._room.set()
        self._settled_at = time.time()
        if self._recovery is not None:
            self._persist(self._recovery.end, changes.heads)
        self._reports.tell(changes.log, changes.heads)

    def _persist(self, action: Any, *arguments: Any) -> Any:
        """Do something with the store; while it is away, say so and try again."""
        while True:
            try:
                result = action(*arguments)
                self._error = ""
                return result
            except Unavailable as error:
                self._error = str(error)
                gevent.sleep(RETRY_SECONDS)
            except LostWrites as lost:
                # The next start reads the note, and then the Queue again.
                self._persist(Losses(self._store).save, {lost.bolt: Loss(lost.what, lost.includes)})
                raise
