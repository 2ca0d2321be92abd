"""A suite in the background, as `analytics start` runs it, to be broken: its processes and its supervisor die."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from analytics.config import load
from analytics.errors import Unavailable
from analytics.runtime.service import conf
from analytics.runtime.service.supervisor import Supervisor
from analytics.runtime.suite import python_path

SUPERVISOR = "supervisor"
END_SECONDS = 10.0


class Service:
    """What is killed, by name: each node, and ``supervisor``. Used in ``with``, it runs.

    It has the methods of :class:`analytics.runtime.suite.Suite` that a crash test calls.
    """

    def __init__(self, file: Path) -> None:
        self.config = load(file)
        self._supervisor = Supervisor(self.config)
        self.names = [*conf.nodes(self.config), SUPERVISOR]

    def __enter__(self) -> Self:
        self._call("start", check=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._call("stop", check=False)

    def pid(self, name: str) -> int:
        """Return the process's id, 0 where it does not run."""
        if name == SUPERVISOR:
            return self._supervisor.pid
        try:
            return self._supervisor.processes()[name].pid
        except Unavailable:
            return 0

    def kill(self, name: str) -> None:
        """Kill a process at once, as a crash would; with the supervisor every node dies."""
        if pid := self.pid(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            until = time.monotonic() + END_SECONDS
            while self.pid(name) == pid and time.monotonic() < until:
                time.sleep(0.02)

    def restart(self, name: str, wait: bool = True) -> None:
        """Start the suite again as an operator does, where its supervisor was killed. It restarts nodes itself."""
        if name == SUPERVISOR:
            self._call("start", check=False)  # nodes that are killed meanwhile may make it fail; all goes on

    def start_missing(self) -> None:
        """Start nodes that the supervisor has given up: some are killed several times in a row."""
        self._call("start", check=False)

    def runs(self, name: str) -> bool:
        """Return whether the process runs, or is restarted by the supervisor as every node is."""
        return name != SUPERVISOR or bool(self._supervisor.pid)

    def _call(self, command: str, check: bool) -> None:
        file = self.config.file
        with (file.parent / "service.log").open("ab") as output:
            subprocess.run(
                [sys.executable, "-m", "analytics", "--config", str(file), command],
                check=check,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": python_path()},
            )
