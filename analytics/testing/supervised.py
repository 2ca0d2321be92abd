"""Restarts processes that end while a suite is being broken, as the service does."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import gevent
from gevent.lock import Semaphore

from analytics.runtime.suite import Suite
from analytics.testing.service import Service

LOOK_SECONDS = 0.5


class Supervised:
    """A running suite whose processes are restarted when they end without being killed.

    Attributes:
        ended: per process, how often it ended without being killed.
        deaths: when kills began and ended, by the monotonic clock.
    """

    def __init__(self, suite: Suite | Service) -> None:
        self.ended: Counter[str] = Counter()
        self.deaths: list[float] = []
        self._suite = suite
        # Whether a process runs is not known at once: others may kill or restart it meanwhile.
        self._turn = Semaphore()
        self._watching = gevent.spawn(self._watch_for_ever)

    def close(self) -> None:
        """Watch no longer."""
        self._watching.kill()

    @contextmanager
    def killed(self, names: Iterable[str]) -> Iterator[None]:
        """Kill these processes, and start them again at the end of the block."""
        names = list(names)
        with self._turn:
            self.deaths.append(time.monotonic())
            for name in names:
                self._suite.kill(name)
            self.deaths.append(time.monotonic())
            try:
                yield
            finally:
                for name in names:
                    self._suite.restart(name, wait=False)

    def _watch_for_ever(self) -> None:
        while True:
            gevent.sleep(LOOK_SECONDS)
            with self._turn:
                for name in self._suite.names:
                    if not self._suite.runs(name):
                        self.ended[name] += 1
                        self._suite.restart(name, wait=False)
