"""The driver: one batch after the other, as spouts write their journals.

    plan ──▶ fold ──▶ plan kept ──▶ frozen ──▶ settle ──▶ records seen, changes for timers ──▶ committed
                                      │ refused: another driver is at work

A crash between any two steps is harmless. Before a plan is frozen nothing was written; after that, the next driver
executes the same plan, and documents know whether they include its batch. The next batch begins after the commit alone.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analytics.broker.topics import bounded
from analytics.broker.wire import Head
from analytics.config import Config
from analytics.core.writing import SAMPLE, LostWrites
from analytics.engine.blocks import LEAST_BYTES, HalfForgotten, age, next_batch
from analytics.engine.context import running_bolts
from analytics.engine.engines import BatchEngine, FoldedBatch
from analytics.engine.journals import ReportedJournals
from analytics.engine.position import (
    FORGETTING,
    HELD_SECONDS,
    EnginePosition,
    Plan,
    PlanTooLarge,
    SavedPosition,
)
from analytics.engine.repeats import Known, foreign, names_of, to_fold_again
from analytics.engine.seen import SeenRecords
from analytics.engine.starting import EngineStarter
from analytics.engine.tasks import AreaSettled, FoldTask, Summary
from analytics.errors import AnalyticsError
from analytics.runtime import engine_changes
from analytics.runtime.lost_writes import older_documents
from analytics.spouts.ends import shared_folder
from analytics.spouts.rejected import Rejected, reject
from analytics.store import Store

REJECTS_FOR = "engine"
"""The node in whose name lines are rejected that no bolt can use."""


@dataclass(slots=True)
class _Running:
    """A batch whose plan is frozen."""

    number: int
    plan: Plan
    folded: FoldedBatch


class EngineDriver:
    """Plans, freezes and commits batches, and has an engine fold and settle them. One at a time can; a second one is refused."""

    def __init__(self, config: Config, store: Store, engine: BatchEngine) -> None:
        shared = shared_folder(config)
        self._config = config
        self._store = store
        self._engine = engine
        self._journals = ReportedJournals(store, shared)
        self._starter = EngineStarter(config, store, engine, shared)
        self._position = EnginePosition(store)
        self._seen = SeenRecords(store)
        self._rejected = Rejected(config)
        self._current: SavedPosition | None = None
        self._newest: SavedPosition | None = None
        self._running: _Running | None = None
        self._held: tuple[int, float] | None = None
        self._lost: LostWrites | None = None

    def step(self) -> bool:
        """Do the next batch, or the one that another driver has left. Return whether there was anything to do.

        Raises:
            Unavailable: store, engine or shared folder do not answer. Call again.
            DriverOvertaken: another driver has gone on. Call again if this one is still to drive.
            Uncountable: a journal or a mapping is gone, or accts are being forgotten. Call again.
            AnalyticsError: the store has lost writes: the message says what to do.
        """
        # What fails may have taken effect: then the store says where this stands.
        try:
            saved, self._current = self._current or self._load(), None
            if saved.held:
                self._wait_for_holder(saved)
                return False
            if self._lost and not saved.frozen:
                raise self._lost
            if not self._running:
                self._journals.read()
                if again := self._journals.again(saved.ends):
                    saved = self._newest = self._position.reopen(saved, again)
            begun = saved if self._running else self._begin(saved)
            if begun is None or self._running is None:
                self._current = None if self._position.is_held() else saved
                return False
            self._newest = begun
            self._newest = self._current = self._finish(begun, self._running)
            self._drop()
        except LostWrites as lost:
            raise _lost(lost) from lost
        return True

    def state(self) -> dict[str, Any]:
        """Return what ``status`` shows.

        ``held``: whether a backfill has stopped batches. ``batch``: the last one that is committed, ``batch_at``: when, in Unix seconds. ``records`` per topic and ``repeated`` lines in
        all batches. ``waiting_bytes``: durable and not in a batch; ``oldest``: the journal and byte where they begin. And what the
        engine says.
        """
        saved = self._newest or SavedPosition("")
        waiting = {name: end for name, end in self._journals.ends.items() if end > saved.ends.get(name, 0)}
        oldest = min(waiting, key=age, default="")
        return {
            "batch": saved.batch,
            "batch_at": saved.at,
            "records": dict(saved.records),
            "repeated": saved.repeated,
            "waiting_bytes": sum(end - saved.ends.get(name, 0) for name, end in waiting.items()),
            "held": bool(saved.held),
            "oldest": [oldest, saved.ends.get(oldest, 0)] if oldest else None,
            **self._engine.state(),
        }

    def close(self) -> None:
        """Let go of the engine. What is running is done by the next driver."""
        self._drop()
        self._engine.close()
        self._rejected.close()

    def _load(self) -> SavedPosition:
        """Read where the engine stands. Make it ready, where it is not."""
        saved, before = self._position.load(), self._newest
        if before is None or (before.id, before.backfills) != (saved.id, saved.backfills):
            self._lost = self._lost_writes(saved)
            self._store.ensure_indexes(running_bolts(self._config))
            self._starter.keep(saved.batch + 1)
            self._drop()
        elif saved.version < before.version:
            what = f"its position is at version {saved.version}, expected {before.version} or later"
            raise LostWrites("engine", what, {})
        if self._running and (saved.batch + 1, True) != (self._running.number, saved.frozen):
            self._drop()
        self._seen.forget()
        self._journals.forget()
        self._starter.doubt()
        self._newest = saved
        return saved

    def _lost_writes(self, saved: SavedPosition) -> LostWrites | None:
        """Return what the store has lost of documents that it should have, as far as that shows.

        A batch that has begun is still finished: a backfill needs one after which nothing is half written.
        """
        found = (older_documents(self._store, bolt, some, saved.log) for bolt, some in saved.written.items())
        return next(filter(None, found), None)

    def _wait_for_holder(self, saved: SavedPosition) -> None:
        """Let batches go on if who holds them is gone. Its changes are known to nobody: so anything may have changed.

        A backfill has the cluster to itself meanwhile.
        """
        self._drop()
        self._starter.stop()
        if saved.held == FORGETTING:
            raise HalfForgotten
        if self._held is None or self._held[0] != saved.version:
            self._held = saved.version, time.monotonic()
        elif time.monotonic() - self._held[1] > HELD_SECONDS:
            self._newest = self._position.release(saved)

    def _begin(self, saved: SavedPosition) -> SavedPosition | None:
        """Take up the next batch's plan if there is one, else make one; fold and freeze it. Return None where nothing waits."""
        number = saved.batch + 1
        plan = self._position.plan(number)
        if plan is None and saved.frozen:
            raise AnalyticsError(
                f"the plan of batch {number}, which has begun, is missing in the database: was a backup restored in part? "
                "Restore all of it"
            )
        self._starter.start(saved, plan)
        running = self._planned(number, plan) if plan else self._next(number, saved)
        if running is None:
            return None
        try:
            frozen = saved if saved.frozen else self._position.freeze(saved)
        except BaseException:
            running.folded.close()
            raise
        self._running = running
        return frozen

    def _planned(self, number: int, plan: Plan) -> _Running:
        """Fold what a driver before has planned. By another release, a block may have further records: they stay out."""
        folded = self._engine.fold(number, plan.tasks)
        try:
            known = foreign(names_of(folded.summaries), plan.names)
            self._fold_again(folded, plan.tasks, known)
        except BaseException:
            folded.close()
            raise
        return _Running(number, plan, folded)

    def _next(self, number: int, saved: SavedPosition) -> _Running | None:
        """Plan and fold what has come in."""
        section = self._config.engine
        block, most = int(section.block_mb * 1e6), int(section.batch_mb * 1e6)
        while True:
            blocks = next_batch(saved.ends, self._journals.ends, most, block, self._engine.tasks)
            if not blocks:
                return None
            now = int(time.time())
            tasks = [FoldTask(block, now) for block in blocks]
            folded = self._engine.fold(number, tasks)
            try:
                known = self._seen.known(names_of(folded.summaries))
                tasks = self._fold_again(folded, tasks, known)
                plan = Plan(tasks, names_of(folded.summaries), self._starter.fingerprint)
                self._position.propose(number, plan)
            except PlanTooLarge:
                folded.close()
                if most <= LEAST_BYTES:
                    raise
                most //= 2
                continue
            except BaseException:
                folded.close()
                raise
            return _Running(number, plan, folded)

    @staticmethod
    def _fold_again(folded: FoldedBatch, tasks: Sequence[FoldTask], known: Known) -> list[FoldTask]:
        """Fold without repeats what has any; return the tasks as they are then."""
        again = to_fold_again(tasks, folded.summaries, known)
        if again:
            folded.again(again)
        return [again.get(place, task) for place, task in enumerate(tasks)]

    def _finish(self, saved: SavedPosition, running: _Running) -> SavedPosition:
        """Settle a frozen batch, and commit it."""
        self._starter.note_rules()
        settled = list(running.folded.settle())
        self._seen.add(running.plan.names)
        self._keep_unusable(running.folded.summaries)
        engine_changes.write(self._store, running.number, _changes(settled))
        read = {topic for bolt in running_bolts(self._config).values() for topic in bolt.reads}
        after = _after(saved, running, settled, read)
        if self._lost:
            # It is to show until a backfill has run.
            after = replace(after, written=saved.written)
        return self._position.commit(replace(after, ends=self._journals.close_others(after.ends)))

    def _keep_unusable(self, summaries: Sequence[Summary]) -> None:
        self._rejected.put_all(
            reject(REJECTS_FOR, one.source, one.reason, one.line, one.n)
            for summary in summaries
            for one in summary.unusable
        )

    def _drop(self) -> None:
        if self._running:
            self._running.folded.close()
        self._running = None


def _changes(settled: Sequence[AreaSettled]) -> Iterator[engine_changes.Change]:
    for one in settled:
        for bolt, starts in one.changed.items():
            yield bolt, one.area, starts


def _after(
    saved: SavedPosition, running: _Running, settled: Sequence[AreaSettled], read: Iterable[str]
) -> SavedPosition:
    """Return the position after a batch. ``read``: the topics of bolts, which are counted each; of others, the largest are."""
    summaries = running.folded.summaries
    ends = dict(saved.ends)
    for task in running.plan.tasks:
        ends[task.block.journal] = max(task.block.end, ends.get(task.block.journal, 0))
    records, sources, written = Counter(saved.records), Counter(saved.sources), dict(saved.written)
    for summary in summaries:
        records.update(summary.topics)
    for source, pairs in running.plan.names.items():
        sources[source.rpartition("@")[0] or source] += sum(last - first + 1 for first, last in pairs)
    for area in settled:
        for bolt, some in area.written.items():
            written[bolt] = dict(list({**written.get(bolt, {}), **some}.items())[-SAMPLE:])
    return replace(
        saved,
        batch=running.number,
        ends=ends,
        records={
            topic: head.records
            for topic, head in bounded({name: Head(0, n, n) for name, n in records.items()}, read).items()
        },
        sources=dict(sources),
        repeated=saved.repeated + sum(summary.repeated for summary in summaries),
        written=written,
    )


def _lost(lost: LostWrites) -> AnalyticsError:
    return AnalyticsError(
        f"{lost.bolt}: the database has lost acknowledged writes: {lost.what}. Was it restored from a backup, or were documents "
        "deleted? Run `bin/analytics engine backfill`, which derives documents from the journals again"
    )
