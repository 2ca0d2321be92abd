"""Batches that came in and wait for their commit, bounded in bytes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import zmq.green as zmq
from gevent.event import Event

from analytics.broker.wire import BatchHeader

_MAX_WAITING_BYTES = 32 << 20  # two of the largest batches
_STUCK_SECONDS = 2.0  # of waiting for the disk, after which batches are dropped at once


@dataclass(frozen=True, slots=True)
class ReceivedBatch:
    """A received batch: its connection, its publisher, and its bodies in ZeroMQ's frames. ``size``: the memory it takes, in bytes."""

    connection: bytes
    publisher: bytes
    seq: int
    header: BatchHeader
    frames: Sequence["zmq.Frame"]
    size: int


class Inbox:
    """What waits. A batch counts until :meth:`done`: those under commit still take their memory."""

    def __init__(self) -> None:
        self._waiting: deque[ReceivedBatch] = deque()
        self._bytes = 0
        self._came = Event()
        self._room = Event()
        self._stuck = False

    def put(self, intake: ReceivedBatch) -> bool:
        """Accept a batch; return whether it was accepted. Waits while too many bytes wait for the disk.

        If they wait for long, batches are dropped at once, so that the caller keeps reading the network and sees whether
        its peers are alive. Publishers send unacknowledged batches again.
        """
        while self._bytes and self._bytes + intake.size > _MAX_WAITING_BYTES:
            self._room.clear()
            if self._stuck or not self._room.wait(_STUCK_SECONDS):
                self._stuck = True
                return False
        self._stuck = False
        self._bytes += intake.size
        self._waiting.append(intake)
        self._came.set()
        return True

    def take(self) -> list[ReceivedBatch]:
        """Return all that waits, as soon as anything does."""
        while not self._waiting:
            self._came.wait()
            self._came.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def done(self, taken: Sequence[ReceivedBatch]) -> None:
        """Make room: ``taken`` was committed."""
        self._bytes -= sum(intake.size for intake in taken)
        self._room.set()
