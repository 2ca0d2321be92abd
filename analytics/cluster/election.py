"""Elects one active instance out of several processes, by a key that its holder renews."""

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
"""Of the time to live, after which an instance steps down: the rest covers clocks that run at different speeds."""
log = logging.getLogger(__name__)


class Election:
    """Contends for ``group`` from :meth:`start` until :meth:`stop`.

    At most one process is active at a time, as long as clocks run equally fast: an instance that can't renew
    its key steps down after four fifths of the key's time to live, counted from before the last successful
    request, and the key expires later. After the active one was killed or frozen, another is active within
    ``ttl_seconds + poll_seconds`` and the second or two until etcd expires the key.

    A process may freeze between reading :attr:`active` and acting on it. So its action must also be safe without the
    key, such as a write on condition of the version that was read. Such work need not stop while etcd is away:
    see :attr:`standing`.

    Args:
        changed: called with True when this process becomes active and with False when it no longer is, in a
            greenlet of the election. It must return soon and raise nothing.
        mark: a file that exists while this machine's instance is the active one, or was the last one. A process
            that starts while etcd is away decides by it whether to work.
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
        self._reported = False
        self._renewed = Event()
        self.tasks = TaskGroup(self._key)

    @property
    def active(self) -> bool:
        """Whether this process is the active one. It depends on the clock, so it is right after a freeze, too."""
        return clock() < self._until

    @property
    def standing(self) -> bool:
        """Whether to do work that may safely be done twice: if active or, while etcd is away, if active last."""
        return self.active or (self._was and bool(self.problem))

    def start(self) -> None:
        self.tasks.spawn(self._contend)
        self.tasks.spawn(self._step_down_in_time)

    def stop(self) -> None:
        """Step down and let another one take over at once, if etcd can be reached."""
        self.tasks.stop()
        self._until = 0.0
        self._remember(False)
        self._report()
        try:
            self._keys.resign(self._key, self.me)
        except Unavailable as error:
            log.warning("another instance takes over only in %s s: %s", self._section.ttl_seconds, error)

    def _contend(self) -> None:
        while True:
            self._try()
            # An active instance that can't reach etcd has to retry soon.
            steady = self.active and not self.problem
            gevent.sleep(self._section.beat_seconds if steady else self._section.poll_seconds)

    def _try(self) -> None:
        """Take or renew the key. If etcd does not answer, an instance stays active until its time has passed."""
        asked = clock()
        try:
            won = self._keys.elect(self._key, self.me, self._section.ttl_seconds)
        except Unavailable as error:
            self.problem = str(error)
            return
        self.problem = ""
        self._until = asked + self._section.ttl_seconds * SAFE_SHARE if won else 0.0
        self._remember(won)
        self._report()
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
                self._report()
                self._renewed.wait()

    def _report(self) -> None:
        active = self.active
        if active != self._reported:
            self._reported = active
            log.info("%s is %s", self._key, "active here" if active else "no longer active here")
            self._changed(active)
