"""Telling the broker how far bolts have come, so that it may throw away what all have passed."""

from collections.abc import Mapping

import gevent
from gevent.lock import BoundedSemaphore

from analytics.broker.clients import Refill
from analytics.broker.wire import Head
from analytics.config import BrokerSection
from analytics.errors import Unavailable

REPEAT_SECONDS = 1.0
Heads = Mapping[str, Mapping[str, Head]]
"""Per bolt and topic, the head that it has passed."""


class Reports:
    """Tells the broker how far a node's bolts are, until it has heard.

    A bolt that has nothing more to do would else seem to lag for ever where the broker missed its last report.

    Attributes:
        error: why the broker has not heard the newest, empty where it has.
    """

    def __init__(self, broker: BrokerSection) -> None:
        self.error = ""
        self._refill = Refill(broker)
        self._owed: tuple[str, Heads] | None = None
        self._again = False
        self._turn = BoundedSemaphore(1)
        self._repeating = gevent.spawn(self._repeat_for_ever)

    def tell(self, log: str, heads: Heads, again: bool = False) -> None:
        """Tell how far bolts are in the log of that name; where the broker does not answer, keep it, and go on.

        ``again``: they went back, to read messages a second time.
        """
        self._again |= again
        # A copy: what is folded meanwhile is not in documents yet, and must not be told.
        self._owed = log, {bolt: dict(passed) for bolt, passed in heads.items()}
        self._tell_owed()

    def check(self) -> None:
        """Raise what ended the repetition, if anything has."""
        if self._repeating.ready():
            self._repeating.get()

    def close(self) -> None:
        """Repeat nothing any more; what is owed is told by whoever starts next."""
        self._repeating.kill()
        self._refill.close()

    def _repeat_for_ever(self) -> None:
        while True:
            gevent.sleep(REPEAT_SECONDS)
            self._tell_owed()

    def _tell_owed(self) -> None:
        """Tell what the broker has not heard yet, if there is anything. To hear it twice does it no harm."""
        with self._turn:  # an error is always one of what is still owed
            if (owed := self._owed) is None:
                return
            log, heads = owed
            try:
                for bolt, passed in heads.items():
                    self._refill.report(bolt, log, passed, self._again)
            except Unavailable as error:
                self.error = str(error)
                return
            if self._owed is owed:
                self._owed, self.error, self._again = None, "", False
