"""The acknowledgement of what spouts have journaled and nodes publish: by the broker or, with an engine, at once."""

from collections.abc import Sequence
from typing import Protocol

from gevent.event import AsyncResult

from analytics.broker.clients import Publisher
from analytics.broker.wire import Ack, Batch
from analytics.config import Config
from analytics.core.intervals import Pair


class AcceptedRecords(Protocol):
    """Knows which records were accepted: the broker's filter, by :class:`Refill`, or with an engine what is counted."""

    def state(self) -> object:
        """Raise Unavailable if it does not answer."""

    def unknown(self, source: str, ns: Sequence[Pair]) -> list[Pair]:
        """Return which of a source's record numbers were never accepted."""

    def close(self) -> None:
        """Disconnect."""


class Silent(Publisher):
    """Acknowledges every batch at once, and sends none.

    Where an engine reads the journals, a record is accepted once its line is durable there, and lines are journaled before they are
    published. The engine finds repeats. Nobody reads tuples of timer bolts there.
    """

    def __init__(self) -> None:
        """Connect to nothing."""

    def publish(self, batch: Batch) -> "AsyncResult[Ack]":
        """Return the acknowledgement of all records of a batch."""
        result: AsyncResult[Ack] = AsyncResult()
        result.set(Ack(0, sum(last - first + 1 for first, last in batch.header.ns), 0))
        return result

    @property
    def problem(self) -> str:
        """Nothing is ever unacknowledged."""
        return ""

    def close(self, timeout: float = 5.0) -> bool:
        """Return that nothing is unacknowledged."""
        return True


def publisher(config: Config, name: str, window: int = 8) -> Publisher:
    """Return what acknowledges the batches of the process ``name``; see :class:`Publisher`."""
    return Silent() if config.engine.kind else Publisher(config.broker, name, window)
