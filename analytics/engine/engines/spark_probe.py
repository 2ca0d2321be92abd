"""Tries a Spark cluster: the master, and on every executor what tasks need there."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import analytics
from analytics.config import Config
from analytics.engine.context import Context
from analytics.engine.engines.spark import SparkEngine
from analytics.errors import AnalyticsError, Unavailable
from analytics.spouts.ends import shared_folder
from analytics.store import store_uri
from analytics.store.probe import PROBE_SECONDS, Finding, Grade

if TYPE_CHECKING:
    from pyspark import SparkContext

ROUNDS = 5
TASK_SECONDS = 0.3
"""Tasks stay for this long, so that others go to other executors."""

Facts = tuple[str, int, list[str]]
"""Of an executor: its host, a process, and what tasks need and do not find there."""


def probe_spark(config: Config, store: bool = True) -> Iterator[Finding]:
    """Yield what is found on the cluster of ``config.engine``. ``store``: whether executors are to try that, too."""
    engine = SparkEngine(config.engine)
    try:
        with _note(shared_folder(config)) as note:
            engine.start(Context(Config(), shared_folder(config), "check"))
            look = _looker(config, str(note), note.name, store_uri(config) if store else "")
            found = engine.job(lambda spark: _everywhere(spark, look))
    except AnalyticsError as error:
        yield Finding(Grade.ERROR, str(error))
        return
    finally:
        engine.close()
    yield from findings(found, store)


def findings(found: Iterable[Facts], store: bool = True) -> Iterator[Finding]:
    """Yield one finding for the executors that have all, and one for each fault. ``store``: whether they tried that."""
    faulty: defaultdict[str, set[str]] = defaultdict(set)
    good = []
    for host, _, faults in found:
        for fault in faults:
            faulty[fault].add(host)
        if not faults:
            good.append(host)
    if good:
        where = ", ".join(sorted(set(good)))
        what = f"release {analytics.__version__}, Python, the shared folder and the store"
        if not store:
            what = (
                f"release {analytics.__version__}, Python and the shared folder; the store was not tried, as the embedded server is not "
                "running"
            )
        yield Finding(Grade.OK, f"{len(good)} executors on {where} have {what}")
    for fault, hosts in sorted(faulty.items()):
        yield Finding(Grade.ERROR, f"executors on {', '.join(sorted(hosts))}: {fault}")


def _everywhere(spark: "SparkContext", look: Callable[[int], Facts]) -> list[Facts]:
    """Return what a task says on each executor."""
    found: dict[tuple[str, int], Facts] = {}
    for _ in range(ROUNDS):
        count = 4 * max(1, spark.defaultParallelism)
        for one in spark.parallelize(range(count), count).map(look).collect():
            found[one[:2]] = one
        if len(found) >= spark._jsc.sc().getExecutorMemoryStatus().size() - 1:
            break
    return list(found.values())


def _looker(config: Config, note: str, content: str, uri: str) -> Callable[[int], Facts]:
    """Return what a task does. It travels as code and not by name, and returns plain values: the suite may be missing there.

    ``uri``: the store's; "" if it is not to be tried.
    """
    release, database = analytics.__version__, config.mongodb.database
    task_seconds, store_seconds = TASK_SECONDS, PROBE_SECONDS

    def look(_: int) -> Facts:
        import os
        import socket
        import time

        time.sleep(task_seconds)
        faults = []
        try:
            with open(note) as file:  # noqa: PTH123
                if file.read() != content:
                    faults.append(f"{note} is another file there, expected the folder that spouts write to")
            own = f"{note}-{os.getpid()}"
            with open(own, "x"):  # noqa: PTH123
                os.unlink(own)  # noqa: PTH108
        except OSError as error:
            faults.append(
                f"{error}; mount the shared folder there, at the same path, so that executors can write to it"
            )
        try:
            import analytics

            if analytics.__version__ != release:
                faults.append(f"release {analytics.__version__}, expected {release} as here; deploy it there")
            elif uri:
                from analytics.store import POSITIONS, MongoStore

                store = MongoStore(uri, database, store_seconds)
                store.load(POSITIONS, ["engine"])
                store.close()
        except ImportError as error:
            faults.append(
                f"{error}; deploy release {release} there, at the same path, or set spark.pyspark.python in [engine] conf"
            )
        except Exception as error:
            faults.append(f"the store: {error}")
        return socket.gethostname(), os.getppid(), faults

    return look


@contextmanager
def _note(shared: Path) -> Iterator[Path]:
    """Write a file that executors are to find. Raise Unavailable if the shared folder is away."""
    note = shared / f".check-{token_hex(4)}"
    try:
        shared.mkdir(parents=True, exist_ok=True)
        note.write_text(note.name)
    except OSError as error:
        raise Unavailable(f"the shared folder {shared} can't be written to: {error}") from error
    try:
        yield note
    finally:
        note.unlink(missing_ok=True)
