"""How far the engine has counted, as its driver keeps it in the store and spouts report it: for those who wait for it or show it."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from analytics.config import Config, EngineSection
from analytics.errors import Unavailable
from analytics.runtime.nodes import TIMERS, readers
from analytics.spouts.ends import durable_ends, rejected_counts, shared_folder
from analytics.store import POSITIONS, Store

ENGINE = "engine"
"""The document of the collection ``positions``, see :mod:`analytics.engine.position`."""

COUNTING = "counting"
"""The document of ``positions`` that says who counts: ``{"by": "engine"}`` or ``{"by": "broker"}``."""


class EngineProgress(msgspec.Struct, frozen=True):
    """What is committed.

    Attributes:
        log: the engine's identity, which documents keep in ``_at``.
        batch: the last batch that is committed.
        ends: per journal, the byte before which everything is counted.
        records: per topic, how many records are counted.
        sources: per spout and configured source, as "gamelog/s1", how many are counted.
        repeated: how many lines named a record once more.
        at: when the last batch was committed, Unix seconds; 0 before the first one.
        held: whether batches wait for a backfill, or until accts are forgotten.
    """

    log: str
    batch: int
    ends: dict[str, int]
    records: dict[str, int]
    repeated: int
    at: float
    sources: dict[str, int] = {}
    held: bool = False

    @classmethod
    def load(cls, store: Store) -> "EngineProgress | None":
        """Return the saved position, None before there is one. Raise Unavailable where the store does not answer."""
        found = store.load(POSITIONS, [ENGINE]).get(ENGINE)
        if found is None:
            return None
        return cls(
            f"engine:{found['id']}",
            found["batch"],
            dict(found.get("ends", ())),
            dict(found.get("records", ())),
            found.get("repeated", 0),
            found.get("at", 0.0),
            dict(found.get("sources", ())),
            bool(found.get("held")),
        )

    def waiting(self, ends: Mapping[str, int]) -> int:
        """Return how many bytes before these ends are not counted."""
        return sum(max(0, end - self.ends.get(journal, 0)) for journal, end in ends.items())

    def oldest(self, ends: Mapping[str, int]) -> tuple[str, int] | None:
        """Return the journal and the byte in it where that begins, None if all is counted."""
        left = [journal for journal, end in ends.items() if end > self.ends.get(journal, 0)]
        if not left:
            return None
        journal = min(left, key=lambda one: PurePath(one).name.partition("_")[2])
        return journal, self.ends.get(journal, 0)


def counting(store: Store) -> str:
    """Return who counts: "engine", "broker", or "" if that was never noted."""
    return str(store.load(POSITIONS, [COUNTING]).get(COUNTING, {}).get("by", ""))


def counted_by_broker(config: Config, store: Store) -> str:
    """Return why an engine must not count in this database, "" if it may. Raise Unavailable where the store does not answer."""
    by = counting(store)
    before = readers(msgspec.structs.replace(config, engine=EngineSection()))
    positions = {} if by else store.load(POSITIONS, list(before))
    logs = {one["log"] for one in positions.values() if not one["log"].startswith("engine:")}
    if by != "broker" and not logs - {""}:
        return ""
    return (
        "broker and workers have counted records of this database: `bin/analytics engine adopt` hands over to the engine, so that "
        "none counts twice"
    )


class EngineReport(msgspec.Struct, frozen=True):
    """How far the engine is.

    Attributes:
        batch: the last one that is committed, ``batch_at``: when, Unix seconds; 0 before the first.
        timers_batch: the batch through which timer bolts have counted, None where none is saved.
        waiting_bytes: what is durable in journals and in no committed batch.
        oldest: the journal and the byte where it begins, None if nothing waits.
        lag_seconds: for how long the oldest of it waits, as the driver reports it.
        records: per topic, records in all batches.
        sources: per spout and configured source, as "gamelog/s1", records in all batches; ``rejected``: those that its spout rejected.
        held: whether batches wait for a backfill, or until accts are forgotten.
        repeated: lines that named a record once more, in all batches.
        executors: processes that run tasks, ``tasks_lost``: tasks that were run again, both as the driver reports them.
        problem: why the engine must not count, "" if it may.
    """

    kind: str
    batch: int
    batch_at: float
    timers_batch: int | None
    waiting_bytes: int
    lag_seconds: float
    records: dict[str, int]
    repeated: int
    oldest: tuple[str, int] | None = None
    executors: int = 0
    tasks_lost: int = 0
    sources: dict[str, int] = {}
    rejected: dict[str, int] = {}
    held: bool = False
    problem: str = ""


def engine_report(config: Config, store: Store) -> EngineReport:
    """Return how far the engine is. Raise Unavailable where the store does not answer or the shared folder is away."""
    found = EngineProgress.load(store) or EngineProgress("", 0, {}, {}, 0, 0.0)
    ends = reported_ends(config)
    return EngineReport(
        config.engine.kind, found.batch, found.at, timers_batch(store, found.log), found.waiting(ends), 0.0,
        found.records, found.repeated, found.oldest(ends), sources=found.sources, rejected=rejected_counts(shared_folder(config)), held=found.held,
        problem=counted_by_broker(config, store),
    )  # fmt: skip


def with_driver(found: EngineReport, state: Mapping[str, Any]) -> EngineReport:
    """Return a report with what the driver says."""
    return msgspec.structs.replace(
        found,
        lag_seconds=float(state.get("lag_seconds", 0.0)),
        executors=int(state.get("executors", 0)),
        tasks_lost=int(state.get("tasks_lost", 0)),
    )


def reported_ends(config: Config) -> dict[str, int]:
    """Return the durable ends of all journals. Raise Unavailable where the shared folder is away."""
    shared = shared_folder(config)
    try:
        return durable_ends(shared)
    except OSError as error:
        raise Unavailable(f"the shared folder {shared} can't be read: {error.strerror}") from error


def timers_batch(store: Store, log: str) -> int | None:
    """Return the batch through which timer bolts have counted, None where they have not begun with this engine."""
    saved = store.load(POSITIONS, [TIMERS]).get(TIMERS)
    if saved is None or saved["log"] != log:
        return None
    return min((int(number) for _, number, *_ in saved["topics"]), default=None)
