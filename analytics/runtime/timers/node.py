"""The node ``timers``: runs all timer bolts, whenever what they look at has changed, and as days begin and end.

It listens to the bolts' tuples, but remembers only which area-days they speak of. One greenlet notes that down,
another runs the bolts for what has been noted, then saves how far the notes went. A run that ends half-way, in a
crash or since the store went away, is made again from the saved position, and writes everything it touches.

When to run: when nothing has come in for a second, at the latest ``every_seconds`` after something has. That second
makes ``drain`` quick without a way to ask for a run, and what comes in together one run. A run that was long is
followed by a pause of its length, but of no more than ``every_seconds``, lest a trickle of records keep the machine busy.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import gevent

from analytics.broker.clients import Publisher, Refill, Subscriber
from analytics.broker.wire import Head
from analytics.config import Config, areas, catalogue
from analytics.errors import Unavailable
from analytics.runtime.consumer import NOTHING, Consumer, NewLog
from analytics.runtime.directory import write_directory
from analytics.runtime.node import Node
from analytics.runtime.outlet import Outlet, new_session
from analytics.runtime.position_reporter import PositionReporter
from analytics.runtime.timers import planning
from analytics.runtime.timers.collections import indexed, remove_former
from analytics.runtime.timers.dirty import Dirty, area_days
from analytics.runtime.timers.facts import FactsReader, spans
from analytics.runtime.timers.moment import SKEW_SECONDS
from analytics.runtime.timers.planning import Plan
from analytics.runtime.timers.position import LAYOUT, NODE, Overtaken, Position
from analytics.runtime.timers.run import Run
from analytics.runtime.timers.scopes import Scope, all_scopes, next_boundary
from analytics.runtime.timers.starts import Starts
from analytics.runtime.timers.totals import Totals
from analytics.runtime.timers.writing import Done
from analytics.store import open_store
from analytics.system.tasks import TaskGroup
from analytics.timers import READ_BY_TIMERS, READ_BY_TOTALS, TIMERS
from analytics.timers.rollup import rollups
from analytics.timers.timer import Timer

RETRY_SECONDS = 1.0
IDLE_SECONDS = 0.5
QUIET_SECONDS = 1.0
LOOK_SECONDS = 0.1
REST = 1.0
TOTALS_SHARE = 0.2
"""Of the time, how much may go into totals: today's change all the time, and each look at them reads a day of every area."""

TOTALS_REST = 120.0
"""Seconds after which they are computed in any case: a bolt that is further behind for minutes raises an alert."""

SILENT_SECONDS = 5.0
"""Without a change, after which they are computed at once: the machine has nothing better to do, and ``drain`` waits for them."""


class Timers(Node):
    """Runs the timer bolts.

    Args:
        now: the clock, in Unix seconds.
    """

    name = NODE
    role = "bolts"

    def __init__(
        self, config: Config, now: Callable[[], float] = time.time, timers: Mapping[str, Timer] = TIMERS
    ) -> None:
        self._config = config
        self._now = now
        self._timers = timers
        self._consumer: Consumer | None = None
        self._dirty = Dirty()
        self._under_way = Dirty()
        self._again = False
        self._error = ""
        self._heard = self._waiting_since = self._resting_until = 0.0
        self._seconds = 0.0
        self._totals_resting_until = 0.0
        self._boundary = 0
        self._ran_at = 0.0
        self._folded = self._runs = 0
        self._changed: Counter[str] = Counter()
        self._unknown: set[str] = set()

    def start(self) -> None:
        """Connect to broker and store; the greenlet waits for them as long as it takes."""
        config = self._config
        self._areas = areas(config)
        self._catalogue = catalogue(config)
        self._rollups = rollups(self._catalogue.values())
        self._scopes = all_scopes(config, self._areas)
        self._zones = {zone for scope in self._scopes for zone in (*scope.zones, scope.zone)}
        self._store = open_store(config)
        self._session = f"{NODE}-{new_session()}"
        self._publisher = Publisher(config.broker, self._session)
        self._refill = Refill(config.broker)
        self._reports = PositionReporter(config.broker)
        self._live = Subscriber(config.broker, READ_BY_TIMERS)
        self._outlet = Outlet(self._publisher, self._session)
        self._position = Position(self._store, self._session)
        self._facts = FactsReader(self._store, self._areas)
        self._starts = Starts(self._store, self._areas)
        self._tasks = TaskGroup(self.name)
        self._tasks.include(self._reports.tasks)
        self._tasks.spawn(self._work_for_ever)

    def step(self) -> None:
        """Wait a second; raise what ended a greenlet, if anything has."""
        self._tasks.check(1.0)

    def stop(self) -> None:
        """Let a run that is under way end, for ten seconds, then let go of everything."""
        self._tasks.stop(10)
        if self._consumer:
            self._consumer.close()
        self._publisher.close()
        for client in (self._refill, self._reports, self._live):
            client.close()
        self._store.close()

    def state(self) -> dict[str, Any]:
        """Return what ``status`` shows: when the last run was, what it did, and what is not in documents yet."""
        return {
            "folded": self._folded,
            "ran_at": self._ran_at,
            "seconds": round(self._seconds, 3),
            "runs": self._runs,
            "documents": dict(self._changed),
            "changed_days": area_days(self._dirty, self._under_way),
            "unknown_areas": sorted(self._unknown),
            "error": self._error or self._reports.error or (self._consumer.error if self._consumer else ""),
        }

    def _work_for_ever(self) -> None:
        while not self._tasks.stopping:
            consumer = self._prepare()
            gathering = gevent.spawn(self._gather_for_ever, consumer)
            try:
                while not self._tasks.stopping:
                    if self._is_due(consumer):
                        if not self._run(consumer):
                            gevent.sleep(RETRY_SECONDS)
                    elif gathering.ready():
                        gathering.get()
                    else:
                        gevent.sleep(LOOK_SECONDS)
            except Overtaken as error:
                self._error = str(error)
                gevent.sleep(RETRY_SECONDS)
            finally:
                gathering.kill()
                consumer.close()

    def _prepare(self) -> Consumer:
        """Learn from the store where to go on, and forget what was known before."""
        self._persist(lambda: self._store.ensure_indexes(indexed(self._catalogue)))
        self._persist(lambda: write_directory(self._config, self._store))
        self._persist(lambda: remove_former(self._store))
        saved = self._persist(self._position.load)
        self._facts.clear()
        self._starts.clear()
        self._dirty = Dirty(everything=saved.layout < LAYOUT)
        self._again = bool(saved.run)
        self._boundary = next_boundary(self._zones, saved.now) if saved.now else 0
        heads = {topic: saved.heads.get(topic, NOTHING) for topic in READ_BY_TIMERS}
        self._reports.tell(saved.log, {NODE: heads})
        self._hear()
        consumer = self._consumer = Consumer(self._live, self._refill, saved.log, heads)
        return consumer

    def _gather_for_ever(self, consumer: Consumer) -> None:
        """Note down what changes. Between taking a message and noting it nobody else gets a turn."""
        skipped = 0
        while True:
            try:
                for message in consumer.messages(IDLE_SECONDS):
                    self._dirty.note(message, self._areas, self._rollups)
                    self._hear()
                    self._folded += message.header.count
                    # What was gone before it could be read may have changed anything.
                    self._dirty.everything |= consumer.skipped > skipped
                    skipped = consumer.skipped
                    gevent.sleep(0)
            except NewLog as other:
                consumer.restart(other.log)
                self._dirty = Dirty(everything=True)
                self._hear()

    def _hear(self) -> None:
        """Remember that something is to be looked at since now, if not for longer."""
        self._heard = time.monotonic()
        self._waiting_since = self._waiting_since or self._heard

    def _is_due(self, consumer: Consumer) -> bool:
        saved = self._position.saved
        if not consumer.log or not (
            self._dirty.everything
            or self._again
            or self._now() >= self._boundary
            or self._now()
            < saved.now - SKEW_SECONDS  # the clock was put right: what has begun or ended by it has not
            or (consumer.log, self._counted(consumer.heads)) != (saved.log, self._counted(saved.heads))
        ):
            self._waiting_since = 0.0
            return False
        moment = time.monotonic()
        if moment < self._resting_until:
            return False
        overdue = self._waiting_since + self._config.timers.every_seconds
        return moment - self._heard >= QUIET_SECONDS or (self._waiting_since > 0 and moment >= overdue)

    def _counted(self, heads: Mapping[str, Head]) -> Mapping[str, Head]:
        """Return those of ``heads`` that a run would take further now."""
        return heads if self._totals_are_due() else _without(heads, READ_BY_TOTALS)

    def _totals_are_due(self) -> bool:
        due_from = min(self._totals_resting_until, self._heard + SILENT_SECONDS)
        return self._again or self._dirty.everything or time.monotonic() >= due_from

    def _run(self, consumer: Consumer) -> bool:
        """Run the bolts for everything that was noted down; where that fails, note it down again and return False."""
        log, heads = consumer.log, dict(consumer.heads)
        due = self._totals_are_due()
        dirty, self._dirty = self._dirty, Dirty()
        if not due and log == self._position.saved.log:
            # They are noted down on, and what reports them is saved as not read.
            self._dirty.totals, dirty.totals = dirty.totals, {}
            saved = self._position.saved.heads
            heads |= {topic: saved.get(topic, NOTHING) for topic in READ_BY_TOTALS}
        began, self._waiting_since = time.monotonic(), 0.0
        self._under_way = dirty
        try:
            done = self._bring_up_to_date(dirty, log, heads, due)
        except Unavailable as error:
            self._take_back(dirty, error)
            self._waiting_since = began
            return False
        finally:
            self._under_way = Dirty()
        self._error = ""
        self._again = False
        self._seconds = time.monotonic() - began
        self._resting_until = time.monotonic() + min(REST * self._seconds, self._config.timers.every_seconds)
        self._ran_at = time.time()
        self._runs += 1
        self._changed.update(done.changed)
        self._unknown |= dirty.unknown
        self._reports.tell(log, {NODE: heads})
        return True

    def _take_back(self, dirty: Dirty, error: Unavailable) -> None:
        """Note down again what a run has not ended with; what it knew may be older than the store by now."""
        dirty.add(self._dirty)
        self._dirty = dirty
        self._again = True
        self._facts.clear()
        self._starts.clear()
        self._error = str(error)

    def _bring_up_to_date(self, dirty: Dirty, log: str, heads: dict[str, Head], due: bool) -> Done:
        now = int(self._now())
        saved = self._position.saved
        name = f"{self._session}:{self._runs}"
        run = Run(
            self._store, self._outlet, self._facts, self._starts, self._timers,
            run=name, now=self._now, again=self._again or bool(saved.run),
            check=self._position.check, max_bytes=int(self._config.timers.max_known_mb * (1 << 20)),
        )  # fmt: skip
        totals = Totals(
            self._store, self._rollups, self._areas, self._scopes, run.writer, self._now, self._position.check
        )
        for kind, area, day in dirty.days:
            self._facts.forget(kind, area, day)
        if dirty.everything:
            self._facts.clear()
        if dirty or dirty.everything or self._again or now >= self._boundary or now < saved.now:
            self._position.begin(name)
            moved = self._move_starts(run, dirty)
            for plan in self._plans(dirty, saved.now, now, moved):
                run.work(plan)
                for game, days in planning.days_of_areas(plan).items():
                    totals.bring_areas_up_to_date(game, days)
            self._roll_up(totals, dirty, saved.now, now)
            # A run without them, or over all that is stored, says nothing of what the next one costs.
            if due and not dirty.everything:
                rest = totals.seconds * (1 / TOTALS_SHARE - 1)
                self._totals_resting_until = time.monotonic() + min(rest, TOTALS_REST)
        self._position.finish(log, heads, now)
        self._boundary = next_boundary(self._zones, now)
        return run.done

    def _roll_up(self, totals: Totals, dirty: Dirty, before: int, now: int) -> None:
        """Bring the totals up to date: of what has changed, and of days that have ended since ``before``."""
        for game in sorted({scope.game for scope in self._scopes}):
            for name in totals.names:
                if dirty.everything:
                    stored = totals.stored(name, game)
                    hours = totals.of_days(game, stored.areas | stored.totals.keys())
                else:
                    hours = totals.of_changes(name, game, dirty.totals.get((name, game), ()))
                    hours |= totals.of_time(name, game, before, now) if before else {}
                totals.bring_up_to_date(name, game, hours)

    def _move_starts(self, run: Run, dirty: Dirty) -> set[str]:
        """Bring starts up to date; return the areas that started on another day than was known."""
        again, moved = self._again, set[str]()
        areas = self._areas if dirty.everything else ()
        while starts := [
            *self._starts.computed(areas, self._now, again),
            *self._starts.due(dirty.starts, self._now, again),
        ]:
            moved |= run.write_starts({one.area: one for one in starts}.values(), dirty.start_tuples)
            again = False
        return moved

    def _plans(self, dirty: Dirty, before: int, now: int, moved: set[str]) -> Iterator[Plan]:
        """Yield what is to be done, game by game."""
        by_area = dirty.by_area()
        for game in sorted({scope.game for scope in self._scopes}):
            scopes = [scope for scope in self._scopes if scope.game == game]
            if dirty.everything:
                yield from self._everything(scopes, by_area, now)
                continue
            plan: Plan = {}
            for scope in scopes:
                changes = planning.changes_of(scope, by_area)
                if work := self._work_of(scope, changes, before, now):
                    plan[scope] = work
                gevent.sleep(0)
            yield plan
            if began_anew := [scope for scope in scopes if moved.intersection(scope.areas)]:
                users = {name: timer for name, timer in self._timers.items() if timer.uses_start}
                yield from planning.of_spans(spans(self._facts, began_anew, users.values(), now), users)

    def _everything(
        self, scopes: list[Scope], by_area: Mapping[str, planning.Changes], now: int
    ) -> Iterator[Plan]:
        """Yield plans of all that the store has; what is known to have changed is still accounted for."""
        known = {
            scope: planning.of_changes(
                planning.for_scope(self._timers, scope),
                planning.changes_of(scope, by_area),
                scope.last_day(now),
            )
            for scope in scopes
        }
        for plan in planning.of_spans(spans(self._facts, scopes, self._timers.values(), now), self._timers):
            for scope, work in plan.items():
                for name, firsts in work.items():
                    for first in firsts.keys() & known[scope][name].keys():
                        firsts[first] = known[scope][name][first]
            yield plan

    def _work_of(self, scope: Scope, changes: planning.Changes, before: int, now: int) -> planning.Work:
        """Return what changes, and the time that has passed since ``before``, make of work."""
        timers = planning.for_scope(self._timers, scope)
        if any(kind == "pay" for kind, _ in changes):
            self._facts.load_history(scope)
        works = [
            planning.of_changes(
                timers, changes, scope.last_day(now), lambda day: self._facts.days_paid_next(scope, day)
            )
        ]
        if before:
            works.append(planning.of_time(timers, scope.clock(before), scope.clock(now)))
        return planning.merged(works)

    def _persist(self, action: Callable[[], Any]) -> Any:
        """Do something with the store; while it is away, say so and try again."""
        while True:
            try:
                result = action()
                self._error = ""
                return result
            except Unavailable as error:
                self._error = str(error)
                gevent.sleep(RETRY_SECONDS)


def _without(heads: Mapping[str, Head], topics: Iterable[str]) -> Mapping[str, Head]:
    return {topic: head for topic, head in heads.items() if topic not in topics}
