"""The node ``engine``: the driver as a process of its own, which reports its state line by line.

The driver's process does not use gevent: neither multiprocessing nor Spark work with patched modules. It ends with this one; it
may be killed at any moment, since a batch that has begun is executed again by the next driver.
"""

import os
import sys
import time
from subprocess import PIPE
from typing import Any

import msgspec
from gevent.subprocess import Popen, TimeoutExpired

from analytics.config import Config
from analytics.engine.driving import DriverReport
from analytics.errors import AnalyticsError
from analytics.runtime.suite import python_path
from analytics.system.tasks import TaskGroup

SILENT_SECONDS = 20.0
"""The driver reports every second, also while a batch is under way."""

STOP_SECONDS = 10.0
"""For the batch that is under way."""

_decode = msgspec.json.Decoder(DriverReport).decode


class DriverEnded(AnalyticsError):
    """The driver's process has ended; the message is its own."""


class EngineNode:
    """Runs the driver."""

    name = "engine"
    role = "bolts"

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tasks = TaskGroup(self.name)
        self._line = DriverReport()
        self._heard = time.monotonic()

    def start(self) -> None:
        """Start the process. It waits for store and cluster as long as it takes."""
        command = [sys.executable, "-m", "analytics.engine.driving", str(self._config.file), str(os.getpid())]
        environment = {**os.environ, "PYTHONPATH": python_path()}
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, env=environment)
        self._tasks.spawn(self._read_lines)

    def step(self) -> None:
        """Wait a second; raise DriverEnded if the driver has ended."""
        self._tasks.check(1.0)

    def stop(self) -> None:
        """Let the batch that is under way end, for ten seconds, then end the process."""
        self._tasks.stop()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def state(self) -> dict[str, Any]:
        """Return what the driver reported last, see :meth:`analytics.engine.live.EngineDriver.state`."""
        silent = time.monotonic() - self._heard
        if silent < SILENT_SECONDS:
            return self._line.state
        return self._line.state | {"error": f"the driver has reported nothing for {silent:.0f} s"}

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            self._line = _decode(text)
            self._heard = time.monotonic()
            if self._line.fatal:
                break
        status = self._process.wait()
        raise DriverEnded(self._line.fatal or f"the driver ended with status {status}; see the log")
