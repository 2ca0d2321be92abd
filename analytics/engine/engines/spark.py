"""Tasks on Apache Spark, 3.5 or 4, as plain RDD jobs: Spark distributes the work, and the driver alone decides what a batch is.

    tasks ─▶ fold ─▶ summaries, and deltas by area, kept on the executors' disks
                                   └▶ shuffled by area ─▶ settle ─▶ documents

Executors need the same release of the suite and of Python, the shared folder and the store; `bin/analytics check` tries
that. A task that is lost, repeated or a zombie does no harm: folding changes nothing outside, and documents know what they
include.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING, Any, TypeVar

from analytics.config.sections import EngineSection
from analytics.core.combine import Deltas, extend
from analytics.engine.blocks import JournalGone
from analytics.engine.context import Context, TaskProcess
from analytics.engine.engines.spark_connection import (
    Executors,
    connect,
    disconnect,
    executors,
    given_up_if_lonely,
    is_stopped,
    reason,
)
from analytics.engine.fold import fold
from analytics.engine.settle import settle_areas
from analytics.engine.tasks import AreaSettled, FoldTask, Summary
from analytics.errors import AnalyticsError, Unavailable
from analytics.system.interpreter import tune

if TYPE_CHECKING:
    from pyspark import RDD, Broadcast, SparkContext

T = TypeVar("T")

PARTITIONS_A_TASK = 3
"""Areas are settled in so many partitions for each task that runs at a time, so that a large one holds up few others."""

Outcome = Any
"""What a task returns for each of its parts: a result, or the error that the driver is to raise."""


class SparkEngine:
    """Runs tasks on the cluster of ``section.master``."""

    def __init__(self, section: EngineSection) -> None:
        self._section = section
        self._context: Context | None = None
        self._spark: SparkContext | None = None
        self._shared: Broadcast[Context] | None = None
        self._error = ""
        self._lost_before = 0
        self.generation = 0

    @property
    def tasks(self) -> int:
        """How many run at a time."""
        return self._section.tasks

    def start(self, context: Context) -> None:
        """Connect to the cluster. Raise Unavailable if it does not answer, AnalyticsError if Spark is not installed."""
        self._drop()
        self._context = context
        self.job(lambda spark: None)

    def fold(self, number: int, tasks: Sequence[FoldTask]) -> "SparkBatch":
        """Fold every block; see :class:`analytics.engine.engines.BatchEngine`."""
        return SparkBatch(self, number, tasks)

    def state(self) -> dict[str, object]:
        """Return what ``status`` shows: ``tasks_lost`` since the start, ``executors`` now, ``error``.

        ``shuffled_bytes``: what has travelled between tasks of this connection.
        """
        found = Executors()
        if self._spark is not None:
            with suppress(Exception):  # whatever py4j raises while Spark stops
                found = executors(self._spark)
        return {
            "tasks_lost": self._lost_before + found.tasks_lost,
            "executors": found.active,
            "shuffled_bytes": found.shuffled_bytes,
            "error": self._error,
        }

    def close(self) -> None:
        """Disconnect from the cluster."""
        self._drop()

    def shared(self) -> "Broadcast[Context]":
        """Return what tasks need, as each executor fetches it once."""
        assert self._shared is not None
        return self._shared

    def job(self, action: "Callable[[SparkContext], T]") -> T:
        """Return what ``action`` does with the cluster.

        Raises:
            Unavailable: the cluster does not answer, or has given up. What RDDs there were may be gone.
            AnalyticsError: a task raised what no retry changes.
        """
        try:
            from py4j.protocol import Py4JError
        except ImportError as error:
            raise AnalyticsError(
                f"engine.kind is \"spark\", and pyspark can't be imported: {error}. Install it: pip install '.[spark]'"
            ) from error
        try:
            spark = self._connected()
            with given_up_if_lonely(spark):
                result = action(spark)
        except (Py4JError, OSError, RuntimeError, ValueError) as error:
            self._error = reason(error)
            if "PythonException" in str(error):
                raise AnalyticsError(f"a task failed on Spark: {self._error}") from error
            self._drop()
            raise Unavailable(f"Spark at {self._section.master}: {self._error}") from error
        self._error = ""
        return result

    def _connected(self) -> "SparkContext":
        if self._spark is not None and is_stopped(self._spark):
            self._drop()
        if self._spark is None:
            assert self._context is not None, "start() comes first"
            self._spark = connect(self._section)
            self._shared = self._spark.broadcast(self._context)
            self.generation += 1
        return self._spark

    def _drop(self) -> None:
        spark, self._spark, self._shared = self._spark, None, None
        if spark is None:
            return
        with suppress(Exception):
            self._lost_before += executors(spark).tasks_lost
        disconnect(spark)


class SparkBatch:
    """Blocks of a batch, folded: deltas lie on the executors, or are folded again where those are gone."""

    def __init__(self, engine: SparkEngine, number: int, tasks: Sequence[FoldTask]) -> None:
        self._engine = engine
        self._number = number
        self._tasks = list(tasks)
        self._summaries: list[Summary] = [Summary()] * len(tasks)
        self._sizes: list[dict[str, int]] = [{}] * len(tasks)
        self._folded: list[tuple[RDD[Any], set[int]]] = []
        self._generation = 0
        self._done: dict[str, AreaSettled] = {}
        self._fold(range(len(tasks)))

    @property
    def summaries(self) -> Sequence[Summary]:
        """What each task has found, in the order of the tasks."""
        return self._summaries

    def again(self, tasks: Mapping[int, FoldTask]) -> None:
        """Fold these blocks once more; what was folded of them before is dropped."""
        for index, task in tasks.items():
            self._tasks[index] = task
        for _, indexes in self._folded:
            indexes.difference_update(tasks)
        self._fold(sorted(tasks))

    def settle(self) -> Iterator[AreaSettled]:
        """Settle every area that is not settled yet, each in one task; yield all of them."""
        sizes: dict[str, int] = {}
        for some in self._sizes:
            for area, size in some.items():
                if area not in self._done:
                    sizes[area] = sizes.get(area, 0) + size
        failed = []
        for outcome in self._engine.job(partial(self._settled, sizes)) if sizes else ():
            if isinstance(outcome, AreaSettled):
                self._done[outcome.area] = outcome
            else:
                failed.append(outcome)
        if failed:
            # One that no retry changes comes first.
            raise min(failed, key=lambda error: isinstance(error, Unavailable))
        yield from self._done.values()

    def close(self) -> None:
        """Drop the deltas."""
        for rdd, _ in self._folded:
            with suppress(Exception):  # the cluster is gone, and they with it
                rdd.unpersist()
        self._folded.clear()

    def _fold(self, indexes: Sequence[int]) -> None:
        if not indexes:
            return
        for index, outcome, sizes in self._engine.job(lambda spark: self._summed(spark, indexes)):
            if not isinstance(outcome, Summary):
                self.close()
                raise outcome
            self._summaries[index], self._sizes[index] = outcome, sizes

    def _summed(
        self, spark: "SparkContext", indexes: Sequence[int]
    ) -> list[tuple[int, Outcome, dict[str, int]]]:
        rdd = self._persisted(spark, indexes)
        return rdd.filter(_is_summary).map(_after_first).collect()

    def _persisted(self, spark: "SparkContext", indexes: Sequence[int]) -> "RDD[Any]":
        """Return an RDD with a partition for each of these tasks."""
        from pyspark import StorageLevel

        tasks = [(index, self._tasks[index]) for index in indexes]
        rdd = spark.parallelize(tasks, len(tasks)).mapPartitions(
            partial(_fold_tasks, self._engine.shared(), self._number)
        )
        rdd.persist(StorageLevel.DISK_ONLY)
        self._folded.append((rdd, set(indexes)))
        self._generation = self._engine.generation
        return rdd

    def _settled(self, sizes: Mapping[str, int], spark: "SparkContext") -> list[Outcome]:
        if self._generation != self._engine.generation:
            self._folded.clear()
            self._persisted(spark, range(len(self._tasks)))
        partition_of = spread(sizes, PARTITIONS_A_TASK * self._engine.tasks)
        deltas = [
            rdd.mapPartitions(partial(_deltas, frozenset(indexes), frozenset(sizes)))
            for rdd, indexes in self._folded
            if indexes
        ]
        return (
            spark.union(deltas)
            .partitionBy(len(set(partition_of.values())), partition_of.__getitem__)
            .mapPartitions(partial(_settle_areas, self._engine.shared(), self._number))
            .collect()
        )


def spread(sizes: Mapping[str, int], most: int) -> dict[str, int]:
    """Return a partition for each area, at most so many and none empty, so that they are about as large.

    Args:
        sizes: bytes by area.
    """
    loads = [(0, partition) for partition in range(min(len(sizes), most))]
    heapify(loads)
    found = {}
    for area, size in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])):
        load, partition = loads[0]
        found[area] = partition
        heapreplace(loads, (load + size + 1, partition))
    return found


# What runs on executors. An element of folded blocks is (block, "", summary or error, sizes by area) or (block, area, deltas).


def _process(shared: "Broadcast[Context]") -> TaskProcess:
    """Return what this process has made of the context."""
    tune()
    return shared.value.process()


def _fold_tasks(
    shared: "Broadcast[Context]", number: int, tasks: Iterable[tuple[int, FoldTask]]
) -> Iterator[tuple[Any, ...]]:
    process = _process(shared)
    for index, task in tasks:
        try:
            folded = fold(process, task, number)
        except (JournalGone, Unavailable) as error:
            yield index, "", error, {}
            continue
        areas = {area: pickle.dumps(deltas, pickle.HIGHEST_PROTOCOL) for area, deltas in folded.areas.items()}
        yield index, "", folded.summary, {area: len(deltas) for area, deltas in areas.items()}
        for area, deltas in areas.items():
            yield index, area, deltas


def _is_summary(element: tuple[Any, ...]) -> bool:
    return not element[1]


def _after_first(element: tuple[Any, ...]) -> tuple[int, Outcome, dict[str, int]]:
    index, _, outcome, sizes = element
    return index, outcome, sizes


def _deltas(
    indexes: frozenset[int], wanted: frozenset[str], elements: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[str, bytes]]:
    """Yield areas and what changes in them, of blocks whose deltas are the right ones."""
    for index, area, *rest in elements:
        if area in wanted and index in indexes:
            yield area, rest[0]


def _settle_areas(
    shared: "Broadcast[Context]", number: int, pairs: Iterable[tuple[str, bytes]]
) -> Iterator[Outcome]:
    process = _process(shared)
    areas: dict[str, Deltas] = {}
    for area, deltas in pairs:
        extend(areas.setdefault(area, {}), pickle.loads(deltas))
    if areas:
        try:
            yield from settle_areas(process, areas, number)
        except AnalyticsError as error:
            yield error
