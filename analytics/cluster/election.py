"""One active instance out of several processes, by a key that lives as long as its holder renews it."""

import logging
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gevent
from gevent.event import Event

from analytics.cluster.keys import Keys, clock
from analytics.config import EtcdSection
from analytics.errors import Unavailable
from analytics.system.tasks import TaskGroup

SAFE_SHARE = 0.8
log = logging.getLogger(__name__)


class Election:
    """Contends for ``group`` from :meth:`start` until :meth:`stop`.

    At most one process is active at a time, as long as clocks run equally fast: an instance that can't renew
    its key steps down when four fifths of the key's time are over, counted from before the last request that
    worked; nobody else gets the key before all of it is over. Another one is active at most ``ttl_seconds +
    poll_seconds`` and the second or two in which etcd notices after the active one was killed or froze.

    A process may freeze between looking at :attr:`active` and acting on it. So what it does must also be safe
    by itself, say a write on condition of the version that was read. Such work need not end while etcd is away:
    see :attr:`standing`.

    Args:
        changed: told True when this process becomes active and False when it no longer is, in a greenlet of
            the election: let it return soon, and raise nothing.
        mark: a file that is there while this machine's instance is the active one, or was it last. By it a
            process that starts while etcd is away knows whether to work.
    """

    def __init__(
        self,
        keys: Keys,
        group: str,
        section: EtcdSection,
        changed: Callable[[bool], None] = lambda active: None,
        mark: Path | None = None,
    ) -> None:
        self.me = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(8)}"
        self.problem = ""
        self._keys = keys
        self._key = f"active/{group}"
        self._section = section
        self._changed = changed
        self._mark = mark
        self._was = mark is not None and mark.exists()
        self._until = 0.0
        self._told = False
        self._renewed = Event()
        self.tasks = TaskGroup(self._key)

    @property
    def active(self) -> bool:
        """Whether this process is the active one, by the clock: also in one that was frozen and just woke."""
        return clock() < self._until

    @property
    def standing(self) -> bool:
        """Whether to do what may safely be done twice: as the active one; while etcd is away, as the last one known."""
        return self.active or (self._was and bool(self.problem))

    def start(self) -> None:
        """Begin to contend."""
        self.tasks.spawn(self._contend)
        self.tasks.spawn(self._step_down_in_time)

    def stop(self) -> None:
        """Step down and let another one take over at once, if etcd can be reached."""
        self.tasks.stop()
        self._until = 0.0
        self._remember(False)
        self._tell()
        try:
            self._keys.resign(self._key, self.me)
        except Unavailable as error:
            log.warning("the group is taken over only in %s s: %s", self._section.ttl_seconds, error)

    def _contend(self) -> None:
        while True:
            self._turn()
            # One that holds the key and did not reach etcd has no time to lose.
            steady = self.active and not self.problem
            gevent.sleep(self._section.beat_seconds if steady else self._section.poll_seconds)

    def _turn(self) -> None:
        """Take or renew the key. Where that can't be told, what was won before goes on until its time is over."""
        asked = clock()
        try:
            won = self._keys.elect(self._key, self.me, self._section.ttl_seconds)
        except Unavailable as error:
            self.problem = str(error)
            return
        self.problem = ""
        self._until = asked + self._section.ttl_seconds * SAFE_SHARE if won else 0.0
        self._remember(won)
        self._tell()
        self._renewed.set()

    def _remember(self, won: bool) -> None:
        if self._mark is not None and won != self._was:
            with suppress(OSError):
                self._mark.parent.mkdir(parents=True, exist_ok=True)
                self._mark.touch() if won else self._mark.unlink(missing_ok=True)
        self._was = won

    def _step_down_in_time(self) -> None:
        while True:
            self._renewed.clear()
            if self.active:
                self._renewed.wait(max(0.0, self._until - clock()))
            else:
                self._tell()
                self._renewed.wait()

    def _tell(self) -> None:
        active = self.active
        if active != self._told:
            self._told = active
            log.info("%s is %s", self._key, "active here" if active else "no longer active here")
            self._changed(active)
