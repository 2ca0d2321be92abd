"""Tasks on Apache Spark, 3.5 or 4, as plain RDD jobs: Spark distributes the work, and the driver alone decides what a batch is.

    tasks ─▶ fold ─▶ summaries, and deltas in files of the shared folder, by portion of the areas
                                   └▶ settle, a portion in each task ─▶ documents

Executors need the same release of the suite and of Python, the shared folder and the store; `bin/analytics check` tries
that. A task that is lost, repeated or a zombie does no harm: folding writes a file of its own, and documents know what they
include.

Measured: deltas that Spark kept on executors' disks, and shuffled, cost a second Python process for each task, and these took
turns in settling an area, each with old documents in memory.
"""

import gc
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar
from zipimport import zipimporter

from analytics.config.sections import EngineSection
from analytics.engine.context import Context, TaskProcess
from analytics.engine.engines import BatchEngine, TaskCall
from analytics.engine.engines.spark_connection import (
    Executors,
    connect,
    disconnect,
    executors,
    given_up_if_lonely,
    is_stopped,
    reason,
)
from analytics.errors import AnalyticsError, Unavailable
from analytics.system.interpreter import tune

if TYPE_CHECKING:
    from pyspark import RDD, Broadcast, SparkContext

T = TypeVar("T")

PORTIONS_A_TASK = 3
"""Areas are settled in so many portions for each task that runs at a time, so that a large one holds up few others."""

DELTAS = "deltas"
"""The folder for deltas, in the shared one."""

SCRATCH = "backfill"
"""The folder for files of a backfill, in the shared one: there is one backfill at a time."""


class SparkEngine(BatchEngine):
    """Runs tasks on the cluster of ``section.master``."""

    def __init__(self, section: EngineSection) -> None:
        self._section = section
        self.tasks = section.tasks
        self.portions = PORTIONS_A_TASK * section.tasks
        self._context: Context | None = None
        self._spark: SparkContext | None = None
        self._shared: Broadcast[Context] | None = None
        self._error = ""
        self._lost_before = 0
        self.shuffled_bytes = 0
        self._folder: Path | None = None
        self._homes: RDD[int] | None = None
        self._at_home: frozenset[str] = frozenset()
        self._connecting = threading.RLock()

    def start(self, context: Context) -> None:
        """Connect to the cluster. Raise Unavailable if it does not answer, AnalyticsError if Spark is not installed."""
        with self._connecting:
            self._drop()
            self._context = context
        self.job(lambda spark: None)

    def outcomes(self, calls: Mapping[int, TaskCall], at_home: bool = False) -> Sequence[tuple[int, Any]]:
        """Return what calls come to, when all are done, each in a task of its own."""
        return self.job(partial(self._run, calls, at_home)) if calls else []

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Make a folder in the shared one, which is removed at the end. What killed processes have left is removed first."""
        assert self._context is not None, "start() comes first"
        shared = self._context.shared
        folder = shared / SCRATCH / token_hex(8)
        shutil.rmtree(folder.parent, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise Unavailable(f"the shared folder {shared} can't be written to: {error}") from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def state(self) -> dict[str, object]:
        found = Executors()
        if self._spark is not None:
            with suppress(Exception):  # whatever py4j raises while Spark stops
                found = executors(self._spark)
        return {
            "tasks_lost": self._lost_before + found.tasks_lost,
            "executors": len(found.active),
            "shuffled_bytes": self.shuffled_bytes,
            "error": self._error,
        }

    def close(self) -> None:
        self._drop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def folder(self, number: int) -> Path:
        """Return the folder for a batch's deltas. What drivers before have left in the shared folder is removed first."""
        assert self._context is not None, "start() comes first"
        shared = self._context.shared
        try:
            if not any(shared.iterdir()):  # a mount point without its file system is empty
                raise Unavailable(f"the shared folder {shared} is empty")
            if self._folder is None:
                shutil.rmtree(shared / DELTAS, ignore_errors=True)
                self._folder = shared / DELTAS / token_hex(8)
            folder = self._folder / str(number)
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the shared folder {shared} can't be written to: {error}") from error
        return folder

    def _run(
        self, calls: Mapping[int, TaskCall], at_home: bool, spark: "SparkContext"
    ) -> Sequence[tuple[int, Any]]:
        assert self._shared is not None  # each executor fetches it once
        if at_home:
            return spark.runJob(self._portions(spark), partial(_do_some, self._shared, calls), sorted(calls))
        tasks = spark.parallelize(list(calls.items()), len(calls))
        return tasks.mapPartitions(partial(_do_calls, self._shared)).collect()

    def _portions(self, spark: "SparkContext") -> "RDD[int]":
        """Return an RDD with a partition for each portion, kept by the executor that settles that: Spark prefers it from then on."""
        present = executors(spark).active
        if self._homes is None or self._at_home != present:
            from pyspark import StorageLevel

            if self._homes is not None:
                self._homes.unpersist()
            portions = spark.parallelize(list(range(self.portions)), self.portions)
            self._homes = portions.persist(StorageLevel.MEMORY_ONLY)
            self._at_home = present
        return self._homes

    def job(self, action: "Callable[[SparkContext], T]") -> T:
        """Return what ``action`` does with the cluster. Jobs of several threads run beside each other.

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
        spark: SparkContext | None = None
        try:
            spark = self._connected()
            with given_up_if_lonely(spark):
                result = action(spark)
        except (Py4JError, OSError, RuntimeError, ValueError) as error:
            self._error = reason(error)
            if "PythonException" in str(error):
                raise AnalyticsError(f"a task failed on Spark: {self._error}") from error
            self._drop(spark)
            raise Unavailable(f"Spark at {self._section.master}: {self._error}") from error
        self._error = ""
        return result

    def _connected(self) -> "SparkContext":
        with self._connecting:
            if self._spark is not None and is_stopped(self._spark):
                self._drop()
            if self._spark is None:
                if self._context is None:
                    raise Unavailable("no batch has begun yet")
                self._spark = connect(self._section)
                self._shared = self._spark.broadcast(self._context)
            return self._spark

    def _drop(self, failed: "SparkContext | None" = None) -> None:
        """Let go of the connection; of one that has ``failed`` only where another job has not replaced it already."""
        with self._connecting:
            if failed is not None and failed is not self._spark:
                return
            spark, self._spark, self._shared, self._homes = self._spark, None, None, None
            if spark is None:
                return
            with suppress(Exception):
                self._lost_before += executors(spark).tasks_lost
            disconnect(spark)


# What runs on executors.


def _process(shared: "Broadcast[Context]") -> TaskProcess:
    """Return what this process has made of the context."""
    tune()
    gc.freeze()  # what is kept between tasks; pyspark collects garbage after each, so all that was left to collect is gone
    _forget_archives()
    return shared.value.process()


def _forget_archives() -> None:
    """Let Python forget what archives on its path have: pyspark has it list them all again for each task, 0.1 s of CPU.

    Modules that are still to come from one are found as well.
    """
    sys.path[:] = [place for place in sys.path if not place.endswith(".jar")]
    for place, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[place]


def _do_some(
    shared: "Broadcast[Context]", calls: Mapping[int, TaskCall], places: Iterable[int]
) -> Iterator[tuple[int, Any]]:
    return _do_calls(shared, ((place, calls[place]) for place in places))


def _do_calls(
    shared: "Broadcast[Context]", calls: Iterable[tuple[int, TaskCall]]
) -> Iterator[tuple[int, Any]]:
    process = _process(shared)
    for place, call in calls:
        try:
            yield place, call.work(process, *call.arguments)
        except AnalyticsError as error:
            yield place, error
        except OSError as error:
            yield place, Unavailable(f"{call.name}: the shared folder can't be used: {error}")
