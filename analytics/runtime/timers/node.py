"""The node ``timers``: runs all timer bolts, whenever what they look at has changed, and as days begin and end.

One greenlet collects changes (:mod:`.feed`), another brings documents up to date (:mod:`.updater`) when the schedule says so
(:mod:`.schedule`), and then saves how far the changes went. A run that ends half-way, in a crash or since the store went away, is made again from
the saved position, and writes everything it touches.
"""

import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gevent

from analytics.broker.wire import Head
from analytics.config import Config, areas, catalogue
from analytics.core.timer_sources import READ_BY_TIMERS, READ_BY_TOTALS
from analytics.errors import Unavailable
from analytics.runtime.consumer import NOTHING
from analytics.runtime.directory import write_directory
from analytics.runtime.node import Node
from analytics.runtime.outlet import Outlet, new_session
from analytics.runtime.position_reporter import PositionReporter
from analytics.runtime.timers.collections import indexed, remove_former
from analytics.runtime.timers.dropping import Dropping
from analytics.runtime.timers.engine_feed import EngineFeed
from analytics.runtime.timers.feed import ChangeFeed, ChangeReader, TimerFeed
from analytics.runtime.timers.position import LAYOUT, NODE, Overtaken, TimersPosition
from analytics.runtime.timers.rules import timers_of
from analytics.runtime.timers.schedule import Schedule
from analytics.runtime.timers.updater import Updater
from analytics.spouts.acknowledging import publisher
from analytics.store import Store, open_store
from analytics.system.tasks import TaskGroup
from analytics.timers.rollup import rollups

RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.1
"""Between looks at the schedule: short beside its shortest wait, a second."""


@dataclass
class _Runs:
    """What the runs since the start of the process did, as ``status`` shows it."""

    ran_at: float = 0.0
    seconds: float = 0.0
    facts_bytes: int = 0
    runs: int = 0
    documents: Counter[str] = field(default_factory=Counter)
    unknown_areas: set[str] = field(default_factory=set)


class Timers(Node):
    """Runs the timer bolts. ``now``: the clock, in Unix seconds."""

    name = NODE
    role = "bolts"

    def __init__(self, config: Config, now: Callable[[], float] = time.time) -> None:
        self._config = config
        self._now = now
        self._timers = timers_of(config)
        self._schedule = Schedule(config.timers.every_seconds)
        self._made = _Runs()
        self._error = ""

    def start(self) -> None:
        """Connect to broker and store; the greenlet waits for them as long as it takes."""
        config = self._config
        self._store = open_store(config)
        self._session = f"{NODE}-{new_session()}"
        self._publisher = publisher(config, self._session)
        self._reports = None if config.engine.kind else PositionReporter(config.broker)
        with_totals = rollups(catalogue(config).values())
        self._feed = _feed(config, self._store, with_totals, self._schedule.note_change)
        self._position = TimersPosition(self._store, self._session)
        outlet = Outlet(self._publisher, self._session)
        self._updater = Updater(
            config, self._store, outlet, self._position, self._timers, with_totals, self._now
        )
        self._dropping = Dropping(config, self._store, self._now)
        self._tasks = TaskGroup(self.name)
        if self._reports:
            self._tasks.include(self._reports.tasks)
        self._tasks.spawn(self._work_for_ever)

    def step(self) -> None:
        """Wait a second; raise what ended a greenlet, if anything has."""
        self._tasks.check(1.0)

    def stop(self) -> None:
        """Let a run that is under way end, for ten seconds, then let go of everything."""
        self._tasks.stop(10)
        self._feed.close()
        self._publisher.close()
        if self._reports:
            self._reports.close()
        self._store.close()

    def state(self) -> dict[str, Any]:
        """Return what ``status`` shows: when the last run was, what it did, and what is not in documents yet."""
        made = self._made
        return {
            "folded": self._feed.folded,
            "ran_at": made.ran_at,
            "seconds": round(made.seconds, 3),
            "facts_bytes": made.facts_bytes,
            "runs": made.runs,
            "documents": dict(made.documents),
            "dropped": self._dropping.removed,
            "changed_days": self._feed.changed_days,
            "unknown_areas": sorted(made.unknown_areas),
            "large_games": self._updater.large.state(),
            "error": self._error
            or (self._reports.error if self._reports else "")
            or self._feed.error
            or self._dropping.error,
        }

    def _work_for_ever(self) -> None:
        while not self._tasks.stopping:
            consumer = self._prepare()
            collecting = gevent.spawn(self._feed.collect, consumer)
            try:
                while not self._tasks.stopping:
                    if self._dropping.is_due():
                        self._dropping.step()
                    if self._is_due(consumer):
                        if not self._run(consumer):
                            gevent.sleep(RETRY_SECONDS)
                    elif collecting.ready():
                        collecting.get()
                    else:
                        gevent.sleep(LOOK_SECONDS)
            except Overtaken as error:
                self._error = str(error)
                gevent.sleep(RETRY_SECONDS)
            finally:
                collecting.kill()
                consumer.close()

    def _prepare(self) -> Any:
        """Learn from the store where to go on, and forget what was known before."""
        self._persist(lambda: self._store.ensure_indexes(indexed(catalogue(self._config))))
        self._persist(lambda: write_directory(self._config, self._store))
        self._persist(lambda: remove_former(self._store))
        saved = self._persist(self._position.load)
        self._updater.resume()
        heads = {topic: saved.heads.get(topic, NOTHING) for topic in READ_BY_TIMERS}
        self._report(saved.log, heads)
        return self._feed.open(saved.log, heads, everything=saved.layout < LAYOUT)

    def _is_due(self, consumer: ChangeReader) -> bool:
        saved = self._position.saved
        if not consumer.log or not (
            self._feed.dirty.everything
            or self._updater.is_due()
            or (consumer.log, self._counted(consumer.heads)) != (saved.log, self._counted(saved.heads))
        ):
            self._schedule.forget()
            return False
        if self._updater.again and not consumer.caught_up:
            return False  # the run that ended half-way may have read what is still to come here
        return self._schedule.is_due()

    def _counted(self, heads: Mapping[str, Head]) -> Mapping[str, Head]:
        """Return those of ``heads`` that a run would take further now."""
        return heads if self._totals_are_due() else _without(heads, READ_BY_TOTALS)

    def _totals_are_due(self) -> bool:
        return self._updater.again or self._feed.dirty.everything or self._schedule.totals_are_due()

    def _run(self, consumer: ChangeReader) -> bool:
        """Run the bolts for every change so far; where that fails, keep the changes for the next run and return False."""
        log, heads, saved = consumer.log, dict(consumer.heads), self._position.saved
        due = self._totals_are_due()
        with_totals = due or log != saved.log
        dirty = self._feed.take(with_totals)
        if not with_totals:
            # What reports the changes that wait is saved as not read.
            heads |= {topic: saved.heads.get(topic, NOTHING) for topic in READ_BY_TOTALS}
        self._schedule.begin()
        try:
            done, totals_seconds = self._updater.update(
                f"{self._session}:{self._made.runs}", dirty, log, heads
            )
        except Unavailable as error:
            self._feed.give_back()
            self._updater.again = True
            self._updater.forget()
            self._schedule.fail()
            self._error = str(error)
            return False
        finally:
            self._feed.done()
        # A run without totals, or over all that is stored, says nothing of what the next one costs.
        if due and totals_seconds and not dirty.everything:
            self._schedule.rest_totals(totals_seconds)
        self._error = ""
        self._made.seconds = self._schedule.end()
        self._made.ran_at = time.time()
        self._made.runs += 1
        self._made.facts_bytes = max(self._made.facts_bytes, done.facts_bytes)
        self._made.documents.update(done.changed)
        self._made.unknown_areas |= dirty.unknown
        self._report(log, heads)
        return True

    def _report(self, log: str, heads: Mapping[str, Head]) -> None:
        """Report what is saved to those who keep changes until then."""
        if self._reports:
            self._reports.tell(log, {NODE: heads})
        with suppress(Unavailable):  # the next report says the same, or more
            self._feed.finished(heads)

    def _persist(self, action: Callable[[], Any]) -> Any:
        """Do something with the store; while it is away, report it and try again."""
        while True:
            try:
                result = action()
                self._error = ""
                return result
            except Unavailable as error:
                self._error = str(error)
                gevent.sleep(RETRY_SECONDS)


def _feed(
    config: Config, store: Store, with_totals: Container[str], changed: Callable[[], None]
) -> TimerFeed[Any]:
    if config.engine.kind:
        return EngineFeed(store, areas(config), with_totals, changed)
    return ChangeFeed(config.broker, areas(config), with_totals, changed)


def _without(heads: Mapping[str, Head], topics: Iterable[str]) -> Mapping[str, Head]:
    return {topic: head for topic, head in heads.items() if topic not in topics}
