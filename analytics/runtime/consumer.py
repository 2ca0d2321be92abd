"""The stream of messages a worker sees: within a topic every message once, in order, whatever the Sender drops."""

import time
from collections.abc import Iterable, Iterator, Mapping

import gevent

from analytics.broker.clients import Refill, Subscriber
from analytics.broker.wire import Head, Heartbeat, Message, Page
from analytics.errors import Unavailable

NOTHING = Head(0, 0, 0)
RETRY_SECONDS = 0.5
SILENT_SECONDS = 10.0
"""The broker sends a heartbeat every second. After so long without one it is asked: a frozen broker keeps its connections."""


class NewLog(Exception):
    """The broker's log is another one than the positions belong to. ``log`` is its identity."""

    def __init__(self, log: str) -> None:
        super().__init__(f"the broker now has log {log}")
        self.log = log


class Consumer:
    """Live messages while they follow each other; from the broker's log whenever one is missing.

    ``again`` names topics that are read a second time, from the oldest message there is: what is gone before that one
    does not count as skipped.

    Attributes:
        log: identity of the log that ``heads`` belong to, "" before the broker was first reached.
        heads: per topic the last message delivered.
        skipped: records that were gone from the log before this worker could read them.
        error: why nothing comes at the moment, "" if nothing is wrong.
        caught_up: whether all that the log held when this was made has been delivered.
    """

    def __init__(
        self, live: Subscriber, refill: Refill, log: str, heads: Mapping[str, Head], again: Iterable[str] = ()
    ) -> None:
        self._again = set(again)
        self._live = live
        self._refill = refill
        self._behind = True
        self._ahead: _Asked | None = None
        self._heard = time.monotonic()
        self.log = log
        self.heads = dict(heads)
        self.skipped = 0
        self.error = ""
        self.caught_up = False

    def restart(self, log: str) -> None:
        """Go on at the beginning of ``log``, after NewLog."""
        self.log = log
        self._again.clear()
        self.heads = dict.fromkeys(self.heads, NOTHING)
        self._behind = True

    def close(self) -> None:
        """Ask for no more. The clients stay open: they are not ours."""
        if self._ahead:
            self._ahead.forget()

    def messages(self, timeout: float) -> Iterator[Message]:
        """Yield the next messages, none if nothing comes within ``timeout`` seconds.

        Raises:
            NewLog: call :meth:`restart` when everything of the old log is settled.
        """
        if self._behind:
            yield from self._catch_up()
            return
        got = self._live.recv(timeout)
        if got is None:
            self._behind = time.monotonic() - self._heard >= SILENT_SECONDS
            return
        self._heard = time.monotonic()
        if isinstance(got, Heartbeat):
            self._check_log(got.log)
            self._behind = any(
                got.heads.get(topic, NOTHING).number > head.number for topic, head in self.heads.items()
            )
            return
        self._check_log(got.header.log)
        last = self.heads[got.topic].number
        if got.header.number == last + 1:
            yield self._deliver(got)
        elif got.header.number > last + 1:
            self._behind = True

    def _catch_up(self) -> Iterator[Message]:
        after = {topic: head.number for topic, head in self.heads.items()}
        if self._ahead and self._ahead.after != after:
            self.close()
            self._ahead = None
        asked, self._ahead = self._ahead or _Asked(self._refill, after), None
        try:
            page, messages = asked.answer()
        except Unavailable as error:
            self.error = str(error)
            gevent.sleep(RETRY_SECONDS)
            return
        self.error = ""
        self._heard = time.monotonic()
        self._check_log(page.log)
        if page.more:
            # The broker reads the next page while this one is folded.
            further = after | {message.topic: message.header.number for message in messages}
            self._ahead = _Asked(self._refill, further)
        for message in messages:
            if message.header.number > self.heads[message.topic].number:
                yield self._deliver(message)
        self._behind = page.more
        self.caught_up |= not page.more

    def _deliver(self, message: Message) -> Message:
        header = message.header
        before = self.heads[message.topic]
        if message.topic in self._again:
            self._again.discard(message.topic)
        elif header.number > before.number + 1:
            self.skipped += header.records - header.count - before.records
        self.heads[message.topic] = Head(header.number, header.records, header.tuples)
        return message

    def _check_log(self, log: str) -> None:
        if log != self.log:
            raise NewLog(log)


class _Asked:
    """A question to the refill endpoint that is under way."""

    def __init__(self, refill: Refill, after: dict[str, int]) -> None:
        self.after = after
        self._refill = refill
        self._greenlet = gevent.spawn(self._ask)

    def answer(self) -> tuple[Page, list[Message]]:
        """Return the answer when it is there. Raise Unavailable where none came."""
        try:
            found: tuple[Page, list[Message]] | Unavailable = self._greenlet.get()
        finally:
            self.forget()
        if isinstance(found, Unavailable):
            raise found
        return found

    def forget(self) -> None:
        """Wait for no answer."""
        self._greenlet.kill()

    def _ask(self) -> tuple[Page, list[Message]] | Unavailable:
        try:
            return self._refill.read(self.after)
        except Unavailable as error:
            return error
