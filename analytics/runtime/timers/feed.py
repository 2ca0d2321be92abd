"""What has changed since the last run, as the bolts' tuples report it: area-days and periods, never the tuples themselves."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Mapping
from typing import Generic, TypeVar

import gevent

from analytics.broker.clients import Refill, Subscriber
from analytics.broker.wire import Head
from analytics.config import BrokerSection
from analytics.core.areas import Areas
from analytics.core.timer_sources import READ_BY_TIMERS
from analytics.runtime.consumer import Consumer, NewLog
from analytics.runtime.timers.dirty import Dirty

IDLE_SECONDS = 0.5


class BatchReader:
    """How far batches were read: what a :class:`~analytics.runtime.consumer.Consumer` is for messages.

    Attributes:
        log: the engine's identity, "" before it was first seen.
        heads: per topic, the last batch that was read, as a number.
        caught_up: whether all that was committed when this was made has been read.
        error: why nothing comes at the moment, "" if nothing is wrong.
    """

    def __init__(self, log: str, heads: Mapping[str, Head]) -> None:
        self.log = log
        self.heads = dict(heads)
        self.caught_up = False
        self.error = ""

    @property
    def batch(self) -> int:
        """The batch through which everything was read, for all topics."""
        return min((head.number for head in self.heads.values()), default=0)

    def read(self, batch: int) -> None:
        """Note that a batch was read."""
        self.heads = dict.fromkeys(self.heads, Head(batch, 0, 0))

    def close(self) -> None:
        """Do nothing: the store is not ours."""


ChangeReader = Consumer | BatchReader
R = TypeVar("R", Consumer, BatchReader)


class TimerFeed(ABC, Generic[R]):
    """Collects changes, for one run after the other.

    Args:
        with_totals: the bolts that have totals.
        changed: called whenever something has changed.

    Attributes:
        dirty: the changes that the next run takes.
        folded: the tuples, or batches of the engine, that were read.
    """

    def __init__(self, areas: Areas, with_totals: Container[str], changed: Callable[[], None]) -> None:
        self._areas = areas
        self._with_totals = with_totals
        self._changed = changed
        self._consumer: R | None = None
        self._taken = Dirty()
        self.dirty = Dirty()
        self.folded = 0

    @abstractmethod
    def _reader(self, log: str, heads: Mapping[str, Head]) -> R:
        """Return a reader of all after ``heads``."""

    @abstractmethod
    def collect(self, consumer: R) -> None:
        """Collect changes for ever."""

    def finished(self, heads: Mapping[str, Head]) -> None:
        """Everything through these heads is in documents, and saved as such. Raise Unavailable if that can't be passed on."""

    def open(self, log: str, heads: Mapping[str, Head], everything: bool) -> R:
        """Read on after ``heads``; forget what was collected before. ``everything``: whether anything may have changed."""
        self.dirty = Dirty(everything=everything)
        self._changed()
        self._consumer = consumer = self._reader(log, heads)
        return consumer

    def take(self, with_totals: bool) -> Dirty:
        """Return the changes for a run, which ends with :meth:`done` or :meth:`give_back`; without totals, theirs wait for a later one."""
        self._taken, self.dirty = self.dirty, Dirty()
        if not with_totals:
            self.dirty.totals, self._taken.totals = self._taken.totals, {}
        return self._taken

    def done(self) -> None:
        """The changes that were taken last are in documents."""
        self._taken = Dirty()

    def give_back(self) -> None:
        """Collect what was taken once more: the run has failed."""
        self._taken.add(self.dirty)
        self.dirty, self._taken = self._taken, Dirty()

    @property
    def changed_days(self) -> int:
        """Return how many days of areas have changes that are not in documents yet."""
        return len({(area, day) for one in (self.dirty, self._taken) for _, area, day in one.days})

    @property
    def error(self) -> str:
        """Return why nothing comes at the moment, "" if nothing is wrong."""
        return self._consumer.error if self._consumer else ""

    def close(self) -> None:
        """Read no more."""
        if self._consumer:
            self._consumer.close()


class ChangeFeed(TimerFeed[Consumer]):
    """Collects changes from the Queue."""

    def __init__(
        self, broker: BrokerSection, areas: Areas, with_totals: Container[str], changed: Callable[[], None]
    ) -> None:
        super().__init__(areas, with_totals, changed)
        self._live = Subscriber(broker, READ_BY_TIMERS)
        self._refill = Refill(broker)

    def _reader(self, log: str, heads: Mapping[str, Head]) -> Consumer:
        return Consumer(self._live, self._refill, log, heads)

    def collect(self, consumer: Consumer) -> None:
        """Collect changes for ever. Between taking a message and noting it nobody else gets a turn."""
        skipped = 0
        while True:
            try:
                for message in consumer.messages(IDLE_SECONDS):
                    self.dirty.note(message, self._areas, self._with_totals)
                    self._changed()
                    self.folded += message.header.count
                    # What was gone before it could be read may have changed anything.
                    self.dirty.everything |= consumer.skipped > skipped
                    skipped = consumer.skipped
                    gevent.sleep(0)
            except NewLog as other:
                consumer.restart(other.log)
                self.dirty = Dirty(everything=True)
                self._changed()

    def close(self) -> None:
        """Leave the broker."""
        super().close()
        self._refill.close()
        self._live.close()
