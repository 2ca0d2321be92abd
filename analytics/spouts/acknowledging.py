"""The acknowledgement of what spouts have journaled: by the broker or, with an engine, by the journal itself."""

from gevent.event import AsyncResult

from analytics.broker.clients import Publisher
from analytics.broker.wire import Ack, Batch
from analytics.config import Config


class JournalAcknowledges:
    """Stands in for a Publisher where an engine reads the journals: a batch is accepted once its lines are durable there.

    Lines are journaled before they are published, so each batch is acknowledged at once. The engine finds repeats.
    """

    problem = ""

    def publish(self, batch: Batch) -> "AsyncResult[Ack]":
        """Return the acknowledgement of all records of a batch."""
        result: AsyncResult[Ack] = AsyncResult()
        result.set(Ack(0, sum(last - first + 1 for first, last in batch.header.ns), 0))
        return result

    def close(self, timeout: float = 0.0) -> bool:
        """Return True: nothing is unacknowledged."""
        return True


def publisher(config: Config, name: str, window: int) -> Publisher | JournalAcknowledges:
    """Return what acknowledges the batches of the spout ``name``; see :class:`Publisher`."""
    return JournalAcknowledges() if config.engine.kind else Publisher(config.broker, name, window)
