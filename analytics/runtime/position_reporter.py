"""Reports to the broker how far bolts have come, so that it may delete what all of them have passed."""

import contextlib
import time
from collections.abc import Mapping

import gevent
from gevent.event import Event

from analytics.broker.clients import Refill
from analytics.broker.sessions import SESSION_SECONDS
from analytics.broker.wire import Head
from analytics.config import BrokerSection
from analytics.errors import Refused, Unavailable
from analytics.system.tasks import TaskGroup

REPEAT_SECONDS = 1.0
"""Between attempts while the broker is away."""

LAST_SECONDS = 1.0
"""How long the last report may take when the node stops."""
KEEP_SECONDS = SESSION_SECONDS / 4
"""How often the broker's session is renewed, at least."""
PATIENCE_SECONDS = 2 * SESSION_SECONDS
"""How long a refusal is not shown as an error."""
Heads = Mapping[str, Mapping[str, Head]]
"""Per bolt and topic, the head that it has passed."""


class PositionReporter:
    """Reports how far a node's bolts are, until the broker has received it. A greenlet of its own waits for the broker.

    Without repetition, a bolt that has nothing more to do would seem to lag for ever where its last report was lost.

    Attributes:
        tasks: the greenlet, which crashes with its owner.
        error: why the broker has not received the newest report, "" if it has.
    """

    def __init__(self, broker: BrokerSection) -> None:
        self.error = ""
        self._refill = Refill(broker)
        self._owed: tuple[str, Heads] | None = None
        self._again = False
        self._kept_at = time.monotonic()
        self._refused_since = 0.0
        self._new = Event()
        self._heard = Event()
        self._heard.set()
        self.tasks = TaskGroup("reports")
        self.tasks.spawn(self._report_for_ever)

    def tell(self, log: str, heads: Heads, again: bool = False) -> None:
        """Report soon how far bolts are in the log of that name. A report that is still owed is replaced.

        ``again``: they went back, to read messages a second time.
        """
        self._again |= again
        # A copy: what is folded from now on is not in documents yet, and must not be reported.
        self._owed = log, {bolt: dict(passed) for bolt, passed in heads.items()}
        self._heard.clear()
        self._new.set()

    def close(self) -> None:
        """Give a broker that answers a moment to receive what is owed, then end; the next start reports again."""
        if not self.error:
            self._heard.wait(LAST_SECONDS)
        self.tasks.stop()
        with contextlib.suppress(Unavailable, Refused):
            gevent.with_timeout(LAST_SECONDS, self._refill.leave, timeout_value=None)
        self._refill.close()

    def _report_for_ever(self) -> None:
        while True:
            self._new.wait(REPEAT_SECONDS)
            self._new.clear()
            self._report_owed()
            self._keep_session()

    def _keep_session(self) -> None:
        """Keep the broker's session while there is nothing to report."""
        if time.monotonic() - self._kept_at < KEEP_SECONDS:
            return
        self._kept_at = time.monotonic()
        with contextlib.suppress(Unavailable, Refused):  # the next report says what is wrong
            self._refill.keep_session()

    def _report_owed(self) -> None:
        """Report what the broker has not received yet, if there is anything. A repeated report does no harm."""
        if (owed := self._owed) is None:
            return
        log, heads = owed
        again = self._again
        try:
            for bolt, passed in heads.items():
                self._refill.report(bolt, log, passed, again)
        except Unavailable as error:
            self.error = str(error)
            return
        except Refused as error:
            self._refused_since = self._refused_since or time.monotonic()
            # A process that was killed holds the session for a moment.
            if time.monotonic() - self._refused_since > PATIENCE_SECONDS:
                self.error = str(error)
            return
        self.error, self._refused_since = "", 0.0
        if self._owed is owed:
            self._owed, self._again = None, False
            self._heard.set()
