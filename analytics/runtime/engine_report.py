"""What is known of an engine without asking its driver: from the store, and from what spouts report."""

from collections.abc import Mapping
from typing import Any

import msgspec

from analytics.config import Config
from analytics.errors import Unavailable
from analytics.runtime.engine_progress import EngineProgress, counted_by_broker
from analytics.spouts.ends import durable_ends, rejected_counts, shared_folder
from analytics.store import POSITIONS, Store

TIMERS = "timers"


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
    found = EngineProgress.load(store) or NOTHING
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


NOTHING = EngineProgress("", 0, {}, {}, 0, 0.0)
