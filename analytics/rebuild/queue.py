"""The cut: which messages a rebuild begins behind, what has come after it, and how far the bolts are."""

import time
from collections.abc import Callable, Iterable, Mapping

import gevent

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState, Head, Message
from analytics.core.intervals import Intervals
from analytics.errors import AnalyticsError
from analytics.runtime.draining import behind

POLL_SECONDS = 0.1
KEEP_UP_SECONDS = 0.5


class Overrun(AnalyticsError):
    """The Queue threw messages away before they were read, or was replaced: another cut is needed."""


class Behind(AnalyticsError):
    """A bolt did not catch up in time."""


class Tail:
    """Follows some topics of the Queue from the cut on.

    Attributes:
        log: the Queue's identity.
        cut: per topic the last message that counts as before.
        numbers: per topic the last message that was read.
        names: per source the records of messages after the cut.
    """

    def __init__(self, refill: Refill, topics: Iterable[str], take: Callable[[Message], None]) -> None:
        self._refill = refill
        self._take = take
        state = refill.state()
        self.log = state.log
        self.cut = {topic: state.heads[topic].number if topic in state.heads else 0 for topic in topics}
        self.numbers = dict(self.cut)
        self.names: dict[str, Intervals] = {}
        self._pumped = time.monotonic()

    def keep_up(self) -> None:
        """Read what has come, now and then: messages do not stay in the Queue for long."""
        if time.monotonic() - self._pumped >= KEEP_UP_SECONDS:
            self.pump()

    def pump(self) -> None:
        """Read everything that has come. Raise Overrun where some of it is gone."""
        self._pumped = time.monotonic()
        while True:
            page, messages = self._refill.read(self.numbers)
            if page.log != self.log:
                raise Overrun("the Queue was replaced")
            for message in messages:
                self._read(message)
            if not page.more:
                return

    def _read(self, message: Message) -> None:
        header = message.header
        if header.number > self.numbers[message.topic] + 1:
            raise Overrun(f"messages of {message.topic} were gone from the Queue before they could be read")
        self.numbers[message.topic] = header.number
        self.names.setdefault(header.source, Intervals()).update(header.ns)
        self._take(message)


def heads_of(numbers: Mapping[str, int]) -> dict[str, Head]:
    """Return numbers of messages as heads to wait for."""
    return {topic: Head(number, 0, 0) for topic, number in numbers.items()}


def wait_for(
    refill: Refill,
    bolts: Mapping[str, list[str]],
    goal: Mapping[str, Head] | None,
    timeout: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> BrokerState:
    """Return the broker's state once bolts have passed ``goal`` (None: all that is in the Queue now).

    ``bolts``: names to the topics that each reads. Raise Behind if there was no progress for ``timeout`` seconds.
    """
    state = refill.state()
    goal = state.heads if goal is None else goal
    before: dict[str, int] = {}
    until = time.monotonic() + timeout
    while missing := behind(goal, state.bolts, bolts):
        if missing != before:
            before, until = missing, time.monotonic() + timeout
        if time.monotonic() >= until:
            where = ", ".join(sorted(missing))
            raise Behind(
                f"these have not counted what is in the Queue, and made no progress for {timeout:g} s: {where}. "
                "Start the workers, see `bin/analytics status`, and call this again"
            )
        meanwhile()
        gevent.sleep(POLL_SECONDS)
        state = refill.state()
    return state
