"""The driver's connection to Spark: Java's process beside this one, and through it the cluster."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analytics.config.sections import EngineSection

if TYPE_CHECKING:
    from pyspark import SparkContext

DEFAULTS = {
    "spark.app.name": "analytics",
    # Its page asks for no password.
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # It has little to do: a second compiler and collectors with threads of their own take more than they save.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    # What goes wrong reaches the driver anyway.
    "spark.log.level": "ERROR",
    # A task may meet many executors that die; what it was to do stays the same.
    "spark.task.maxFailures": "16",
    "spark.stage.maxConsecutiveAttempts": "16",
    # An executor knows the documents that it wrote. Another one reads them: so a task need not wait long for it.
    "spark.locality.wait": "300ms",
}
"""``[engine] conf`` goes before these."""

LONELY_SECONDS = 120.0
"""A job that has had no executor for this long is given up, and Spark is asked again: a master that was restarted without its
state never gives executors to an application of before."""

WATCH_SECONDS = 1.0
MASTER_SECONDS = 5.0
LONGEST_REASON = 500


def connect(section: EngineSection) -> "SparkContext":
    """Return a connection to the cluster. Raise Py4JError, OSError or RuntimeError if it does not answer."""
    from pyspark import SparkConf, SparkContext

    _look_for_master(section.master)
    _forget_dead_java()
    logging.getLogger("py4j").setLevel(logging.WARNING)
    package = str(Path(__file__).resolve().parents[3])
    conf = SparkConf().setMaster(section.master)
    settings = {
        **DEFAULTS,
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(
            filter(None, [package, os.environ.get("PYTHONPATH", "")])
        ),
        **section.conf,
    }
    conf.setAll(list(settings.items()))
    handler = signal.getsignal(signal.SIGINT)
    try:
        spark = SparkContext(conf=conf)
    finally:
        with suppress(ValueError):  # not the main thread, so pyspark has not set one either
            signal.signal(signal.SIGINT, handler)
    # It reads `spark.pyspark.python` only where it was started by spark-submit.
    spark.pythonExec = section.conf.get("spark.pyspark.python", sys.executable)
    return spark


def _look_for_master(url: str) -> None:
    """Raise OSError if no master listens: Spark itself takes a minute to find that out. Other kinds of clusters are left to it."""
    if not url.startswith("spark://"):
        return
    refused: OSError | None = None
    for address in url.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), MASTER_SECONDS).close()
            return
        except OSError as error:
            refused = error
    raise OSError(
        f"{refused or 'no address'}; expected a master there: is it running, and engine.master right?"
    )


def disconnect(spark: "SparkContext") -> None:
    from pyspark import SparkContext

    try:
        spark.stop()
    except Exception:  # whatever py4j raises where Java's process is gone
        SparkContext._active_spark_context = None


def _forget_dead_java() -> None:
    """Have pyspark start Java again where that has died: pyspark keeps its connection for the life of this process."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    process = getattr(gateway, "proc", None)
    if gateway is not None and process is not None and process.poll() is not None:
        with suppress(Exception):  # whatever py4j raises
            gateway.shutdown()
        SparkContext._gateway = SparkContext._jvm = None


def is_stopped(spark: "SparkContext") -> bool:
    """Return whether Spark has given up, or Java's process is gone."""
    try:
        return bool(spark._jsc.sc().isStopped())
    except Exception:  # whatever py4j raises where Java's process is gone
        return True


class Executors(NamedTuple):
    """Those that there are, by id; and how many tasks have failed on all that there were."""

    active: frozenset[str] = frozenset()
    tasks_lost: int = 0


def executors(spark: "SparkContext") -> Executors:
    """Return what Spark knows of its executors. Raise what py4j raises if Java's process is gone."""
    found = spark._jsc.sc().statusStore().executorList(False)
    each = [one for place in range(found.length()) if (one := found.apply(place)).id() != "driver"]
    return Executors(
        frozenset(str(one.id()) for one in each if one.isActive()),
        sum(int(one.failedTasks()) for one in each),
    )


@contextmanager
def given_up_if_lonely(spark: "SparkContext") -> Iterator[None]:
    """Stop Spark if it has no executor for long: its jobs would wait for ever."""
    done = threading.Event()

    def watch() -> None:
        lonely = 0.0
        while not done.wait(WATCH_SECONDS):
            with suppress(Exception):  # Java's process is gone: the job ends, too
                lonely = 0.0 if executors(spark).active else lonely + WATCH_SECONDS
                if lonely >= LONELY_SECONDS:
                    spark._jsc.sc().cancelAllJobs()
                    return

    watcher = threading.Thread(target=watch, daemon=True)
    if not str(spark.master).startswith("local"):
        watcher.start()
    try:
        yield
    finally:
        done.set()


def reason(error: BaseException) -> str:
    """Return the lines of an error that say most: Java's and Python's traces are long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("at ", "File ", "...", ":", "Traceback", "^"))]
    python = [
        line for line in said if ("Error" in line or "Exception" in line) and not line.startswith("org.")
    ]
    text = python[-1] if python else " ".join(said[:2]) or type(error).__name__
    return text[:LONGEST_REASON]
