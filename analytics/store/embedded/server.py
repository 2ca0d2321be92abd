"""One server of an engine as a process: started on its data, checked, and ended."""

import logging
import shutil
import subprocess
import time
from pathlib import Path

from analytics.errors import AnalyticsError, Unavailable
from analytics.store.embedded.engine import HOST, Engine
from analytics.store.embedded.process import end_leftover, launch, leftovers, terminate, wait_for_port
from analytics.store.mongo import MongoStore
from analytics.store.store import Write
from analytics.system.ports import free_port

READY_SECONDS = 30.0  # a server may have to recover after a crash
FULL_MB = 64  # with less free space, errors are explained by the full disk
LOG_BYTES = 8 * 1024 * 1024  # at which the log is rotated
LAST_BYTES = 32 * 1024
"""The size of the end of the log that is searched for errors."""
HEALTH_OPTIONS = "&socketTimeoutMS=2000&serverSelectionTimeoutMS=1000&connectTimeoutMS=1000"

log = logging.getLogger(__name__)


class Ended(AnalyticsError):
    """The server ended at its start; the message quotes its last errors."""


class EmbeddedServer:
    """Runs an engine's server. Its owner holds the lock on the store's folder.

    ``output``: the server's log file. It is kept below 8 MB; the previous one is ``….log.1``.
    """

    def __init__(self, engine: Engine, output: Path) -> None:
        self.engine = engine
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._health: MongoStore | None = None
        self._prepared = False

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self.pid is not None

    def start(self) -> None:
        """Start the server and wait until it passes a check, at most 30 s: it may have to recover.

        Raises:
            ConfigError: the program is not installed.
            AnalyticsError: another program has the port.
            Ended: the server ended.
        """
        engine = self.engine
        engine.program()
        self._output.parent.mkdir(parents=True, exist_ok=True)
        for pid in leftovers(engine.flag, engine.database):
            log.warning("ending the server of an earlier store node pid=%d", pid)
            end_leftover(pid, engine.flag, engine.database)
        if not engine.database.exists():
            engine.making.touch()
        if engine.making.exists():
            try:
                self._make()
            except Ended as error:
                log.warning("creating the database again, since its creation was interrupted: %s", error)
                shutil.rmtree(engine.database, ignore_errors=True)
                self._make()
        self._wait_until_ready()

    def launch(self) -> None:
        """Start the process on its data and port, without waiting for it."""
        self._prepared = False
        wait_for_port(HOST, self.engine.port)
        command = self.engine.command(self.engine.program())
        self._process = launch(command, self.engine.environment, self.engine.folder, self._output)

    def check(self) -> None:
        """Prepare the server if this has not been done since its launch, then write and read.

        Raise AnalyticsError if it does not answer, refuses, or returns another document.
        """
        if not self._prepared:
            self.engine.prepare()
            self._prepared = True
        if self._health is None:
            self._health = MongoStore(
                self.engine.uri() + HEALTH_OPTIONS, "health", dialect=self.engine.dialect
            )
        at = time.time()
        self._health.write("checks", [Write("store", {"at": at}, None)])
        if self._health.load("checks", ["store"])["store"]["at"] != at:
            raise AnalyticsError("the embedded server returned another document than was written")

    def kill(self) -> None:
        """Kill the process at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Shut the server down, within 14 s."""
        if self._health is not None:
            self._health.close()
            self._health = None
        if self._process is not None:
            terminate(self._process)
            self._process = None

    def exit_reason(self) -> str:
        """Return how the server ended, and its last errors."""
        code = self._process.poll() if self._process is not None else None
        return f"{self.full_disk()}the embedded server ended with code {code}; {self._last_errors()}"

    def full_disk(self) -> str:
        """Return "" or, to prepend to an error that it explains, that the disk is full."""
        free = shutil.disk_usage(self.engine.folder).free >> 20
        return (
            f"the disk under {self.engine.folder} has {free} MB left, free some space: "
            if free < FULL_MB
            else ""
        )

    def rotate_log(self) -> None:
        """Rotate a long log by truncating it, since the server keeps its file open."""
        if self._output.exists() and self._output.stat().st_size > LOG_BYTES:
            shutil.copyfile(self._output, self._output.with_suffix(".log.1"))
            with self._output.open("rb+") as output:
                output.truncate(0)

    def _make(self) -> None:
        """Create the database with the server on a spare port, so that waiting clients find it complete."""
        engine = self.engine
        first = EmbeddedServer(type(engine)(engine.config, free_port(HOST)), self._output)
        try:
            first._wait_until_ready()
            if not first._prepared:
                raise Unavailable(
                    f"the embedded server did not answer at its first start within {READY_SECONDS:g} s; "
                    f"{first._last_errors()}"
                )
        finally:
            first.stop()
        engine.making.unlink()

    def _wait_until_ready(self) -> None:
        self.launch()
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            try:
                self.check()
                return
            except AnalyticsError:
                if not self.running:
                    raise Ended(
                        f"{self.full_disk()}the embedded server ended at its start; {self._last_errors()}"
                    ) from None
            time.sleep(0.1)

    def _last_errors(self) -> str:
        """Return the last errors in the server's log, and the path of the log."""
        with self._output.open("rb") as output:
            output.seek(max(0, self._output.stat().st_size - LAST_BYTES))
            lines = output.read().decode(errors="replace").strip().splitlines()
        return f"its last errors in {self._output}: {self.engine.last_errors(lines) or '(none)'}"
