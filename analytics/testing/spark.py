"""A real Spark cluster of our own, standalone on loopback, to break: a master and workers, which start executors.

All of it comes with the package pyspark, and needs Java 17. It dies with the process that started it.
"""

import os
import random
import shutil
import signal
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from analytics.errors import AnalyticsError
from analytics.system.processes import children, command_line, dying_with_us
from analytics.system.started import Started
from analytics.testing.ports import free_ports
from analytics.testing.server_process import ServerProcess

UP_SECONDS = 600.0
"""Java takes seconds to start, on a busy machine a minute."""

DAEMON_MEMORY = "192m"
EXECUTOR = "CoarseGrainedExecutorBackend"
HOST = "127.0.0.1"

SHORTEST, LONGEST = 0.1, 5.0
"""Seconds that something stays away or frozen."""

QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For processes that live a minute: the time of Java's second compiler and of its collectors is not worth it."""


class NoSpark(AnalyticsError):
    """Spark is not installed, or did not start; the message says which."""


def spark_home() -> Path:
    """Return the folder of Spark that pyspark brings. Raise NoSpark where that or Java is missing."""
    try:
        import pyspark
    except ImportError as error:
        raise NoSpark("pyspark is missing: pip install '.[spark]'") from error
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        raise NoSpark("Java is missing: apt-get install openjdk-17-jre-headless")
    return Path(pyspark.__file__).parent


class SparkProcess(ServerProcess, Started):
    """A master or worker as one process, which can be killed, frozen and started again.

    Args:
        name: of its log in ``folder``.
        arguments: its class and that one's arguments.
    """

    def __init__(self, folder: Path, name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        self.log = folder / f"{name}.log"
        self._arguments = arguments
        self._environment = environment

    @property
    def pid(self) -> int:
        """Of the process that runs. Raise NoSpark where none does."""
        if self._process is None:
            raise NoSpark(f"{self._arguments[0]} does not run; start it first")
        return self._process.pid

    def start(self) -> None:
        """Start the process, and return at once."""
        home = spark_home()
        command = dying_with_us([str(home / "bin" / "spark-class"), *self._arguments])
        self._spawn(command, self.log, SPARK_HOME=str(home), **self._environment)

    def stop(self) -> None:
        """Kill the process."""
        self.kill()


class SparkCluster(Started):
    """A master and workers.

    Args:
        folder: for logs and what executors write.
        workers: how many.
        cores: of each worker: as many tasks run there at a time.
        memory_mb: of each worker, for executors.
    """

    def __init__(self, folder: Path, workers: int = 2, cores: int = 1, memory_mb: int = 512) -> None:
        port, self._web_port, *web_ports = free_ports(2 + workers)
        self.url = f"spark://{HOST}:{port}"
        self._size = workers
        folder.mkdir(parents=True, exist_ok=True)
        deploy = "org.apache.spark.deploy"
        environment = {
            "SPARK_LOCAL_IP": HOST,
            "SPARK_DAEMON_MEMORY": DAEMON_MEMORY,
            # A master that is started again knows its workers and applications.
            "SPARK_DAEMON_JAVA_OPTS": f"{QUICK_JAVA} -Dspark.deploy.recoveryMode=FILESYSTEM -Dspark.deploy.recoveryDirectory={folder / 'recovery'}",
            "SPARK_LOCAL_DIRS": str(folder / "local"),
        }
        addresses = ["--host", HOST, "--port", str(port), "--webui-port", str(self._web_port)]
        self.master = SparkProcess(folder, "master", [f"{deploy}.master.Master", *addresses], environment)
        self.workers = [
            SparkProcess(
                folder,
                f"worker{number}",
                [
                    f"{deploy}.worker.Worker", "--host", HOST, "--webui-port", str(web_port), "--cores", str(cores),
                    "--memory", f"{memory_mb}m", "--work-dir", str(folder / f"work{number}"), self.url,
                ],
                environment,
            )
            for number, web_port in enumerate(web_ports)
        ]  # fmt: skip

    def conf(self, quick: bool = True) -> dict[str, str]:
        """Return what an application has to say to run here with little memory. ``quick``: it lives a minute."""
        return {
            **dict.fromkeys(("spark.driver.host", "spark.driver.bindAddress"), HOST),
            **dict.fromkeys(("spark.driver.memory", "spark.executor.memory"), "512m"),
            "spark.executor.extraJavaOptions": QUICK_JAVA if quick else "-XX:+UseSerialGC",
        }

    def start(self) -> None:
        """Start all processes, and wait until every worker has registered. Raise NoSpark if they do not in time."""
        for process in (self.master, *self.workers):
            process.start()
        self.wait_until_up()

    def wait_until_up(self, seconds: float = UP_SECONDS) -> None:
        """Return when the master knows that every worker is alive. Raise NoSpark if it does not in time."""
        until = time.monotonic() + seconds
        while self._alive() < self._size:
            dead = next((one for one in (self.master, *self.workers) if not one.running), None)
            if dead is not None or time.monotonic() > until:
                log = (dead or self.master).log
                raise NoSpark(
                    f"Spark's master at {self.url} has {self._alive()} of {self._size} workers; see {log}"
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """Kill everything; executors end with their workers."""
        for pid in self.executors():
            os.kill(pid, signal.SIGKILL)
        for process in (*self.workers, self.master):
            process.kill()

    def executors(self) -> list[int]:
        """Return the process ids of all executors that run now."""
        return [
            pid
            for worker in self.workers
            if worker.running
            for pid in children(worker.pid)
            if any(EXECUTOR in argument for argument in command_line(pid))
        ]

    def disturb(self, rng: random.Random) -> str:
        """Kill or freeze something at random, start it again where nobody else does, and return what it was."""
        what = rng.choice(["executor", "executor", "frozen executor", "worker", "master"])
        if what == "master":
            self._kill(self.master, rng)
        elif what == "worker":
            self._kill(rng.choice(self.workers), rng)
        else:
            executors = self.executors()
            if not executors:
                return ""
            victim = rng.choice(executors)
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL if what == "executor" else signal.SIGSTOP)
                if what == "frozen executor":
                    time.sleep(rng.uniform(SHORTEST, LONGEST))
                    os.kill(victim, signal.SIGCONT)
        return what

    @staticmethod
    def _kill(process: SparkProcess, rng: random.Random) -> None:
        process.kill()
        time.sleep(rng.uniform(SHORTEST, LONGEST))
        process.start()

    def _alive(self) -> int:
        """Return how many workers the master knows to be alive; 0 where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self._web_port}/json/", timeout=5) as answer:
                return int(msgspec.json.decode(answer.read())["aliveworkers"])
        except OSError:
            return 0
