"""What has changed since the last run, as the engine's batches report it: in place of the bolts' tuples, where there is no broker."""

from collections.abc import Callable, Container, Mapping

import gevent

from analytics.broker.wire import Head
from analytics.core.areas import Areas
from analytics.core.timer_sources import READ_BY_TIMERS, READ_FOR_STARTS
from analytics.errors import Unavailable
from analytics.runtime import engine_changes
from analytics.runtime.engine_progress import EngineProgress
from analytics.runtime.timers.dirty import KINDS, Dirty
from analytics.runtime.timers.feed import BatchReader, TimerFeed
from analytics.runtime.timers.scopes import day_of
from analytics.store import Store

LOOK_SECONDS = 0.5
"""Between looks for a new batch."""


class EngineFeed(TimerFeed[BatchReader]):
    """Collects changes from the engine's batches, for one run after the other."""

    def __init__(
        self, store: Store, areas: Areas, with_totals: Container[str], changed: Callable[[], None]
    ) -> None:
        super().__init__(areas, with_totals, changed)
        self._store = store
        self._first_hours: dict[str, int] = {}

    def _reader(self, log: str, heads: Mapping[str, Head]) -> BatchReader:
        self._first_hours.clear()
        return BatchReader(log, heads)

    def collect(self, consumer: BatchReader) -> None:
        while True:
            try:
                found = self._read(consumer)
                consumer.error = ""
            except Unavailable as error:
                consumer.error = str(error)
                found = False
            if not found:
                gevent.sleep(LOOK_SECONDS)

    def finished(self, heads: Mapping[str, Head]) -> None:
        """Everything through these heads is in documents, and saved as such: the batches' changes are deleted."""
        engine_changes.forget(self._store, min(heads[topic].number for topic in READ_BY_TIMERS))

    def _read(self, consumer: BatchReader) -> bool:
        """Read a batch, if there is a new one; return whether there was."""
        position = EngineProgress.load(self._store)
        if position is None or (position.log == consumer.log and position.batch <= consumer.batch):
            consumer.caught_up = True
            return False
        changes = None
        if position.log == consumer.log:
            changes = engine_changes.read(self._store, consumer.batch + 1)
        noted = [] if changes is None else [(change, self._first_ts(change)) for change in changes]
        # Between reading a batch and noting it nobody else gets a turn.
        if changes is None:
            # Another engine, or one whose changes are gone: anything may have changed.
            consumer.log = position.log
            consumer.read(position.batch)
            self.dirty = Dirty(everything=True)
        else:
            consumer.read(consumer.batch + 1)
            for change, first_ts in noted:
                self._note(change, first_ts)
        self.folded += 1
        self._changed()
        return True

    def _note(self, change: engine_changes.Change, first_ts: int | None) -> None:
        """Take up what a batch has changed of a bolt in an area."""
        bolt, area, starts = change
        if area not in self._areas:
            self.dirty.unknown.add(area)
            return
        if bolt in self._with_totals:
            self.dirty.totals.setdefault((bolt, self._areas[area].game), set()).update(starts)
        if bolt in KINDS:
            self.dirty.days.update((KINDS[bolt], area, day_of(self._areas[area].zone, ts)) for ts in starts)
        if first_ts is not None:
            self.dirty.starts[area] = min(first_ts, self.dirty.starts.get(area, first_ts))

    def _first_ts(self, change: engine_changes.Change) -> int | None:
        """Return the earliest time of a record in the changed hours, if the area may have started then."""
        bolt, area, starts = change
        if bolt not in READ_FOR_STARTS or area not in self._areas:
            return None
        hour = min((ts for ts in starts if ts >= self._areas[area].opened), default=None)
        if hour is None or hour > self._first_hours.get(area, hour):
            return None
        self._first_hours[area] = hour
        document = self._store.first(bolt, "first_ts", area=area, since=hour) or {}
        first_ts = document.get("first_ts")
        return first_ts if isinstance(first_ts, int) else None
