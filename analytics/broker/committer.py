"""Commits batches group by group: filters, numbers, writes durably, then publishes and acknowledges them."""

import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import gevent
import zmq.green as zmq
from gevent.event import Event
from gevent.threadpool import ThreadPool

from analytics.broker.filter import Filter
from analytics.broker.filterstore import FilterStore, Passed, encoded
from analytics.broker.log import Log
from analytics.broker.wire import Ack, BatchHeader, MessageHeader
from analytics.errors import LogError

logger = logging.getLogger(__name__)

_MAX_WAITING_BYTES = 32 << 20  # two of the largest batches
_RETRY_SECONDS = 1.0  # between attempts to write to a failing disk
_STUCK_SECONDS = 2.0  # of waiting for the disk, after which batches are dropped at once

Buffer = bytes | memoryview
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReceivedBatch:
    """A received batch: its connection, its publisher, and its bodies in ZeroMQ's frames."""

    connection: bytes
    publisher: bytes
    seq: int
    header: BatchHeader
    frames: Sequence["zmq.Frame"]
    size: int


@dataclass(slots=True)
class _Group:
    """The batches of one commit, with their messages and acknowledgements."""

    messages: list[tuple[str, MessageHeader, "zmq.Frame | Buffer"]] = field(default_factory=list)
    acks: list[tuple[ReceivedBatch, Ack]] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    refused: list[tuple[ReceivedBatch, str]] = field(default_factory=list)


class Committer:
    """Commits all batches that arrived during the previous commit. Bounded in bytes: :meth:`put` waits.

    While the disk fails, or has less than ``min_free_bytes`` left, ``blocked`` has the reason, nothing is acknowledged,
    and the group is retried each second.
    """

    def __init__(
        self,
        log: Log,
        known: Filter,
        store: FilterStore,
        folder: Path,
        min_free_bytes: int,
        publish: Callable[[str, MessageHeader, "zmq.Frame | Buffer"], None],
        acknowledge: Callable[[ReceivedBatch, Ack], None],
        refuse: Callable[[ReceivedBatch, str], None],
    ) -> None:
        self.blocked = ""
        self.repeated = 0
        self._log = log
        self._filter = known
        self._store = store
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._publish = publish
        self._acknowledge = acknowledge
        self._refuse = refuse
        self._pool = ThreadPool(1)
        self._waiting: deque[ReceivedBatch] = deque()
        self._bytes = 0
        self._came = Event()
        self._room = Event()
        self._stuck = False
        self._staged = 0
        self._durable = 0
        self._settled = Event()

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

    def settle(self, timeout: float) -> bool:
        """Wait until all records in the filter are durable. Return False after ``timeout`` seconds."""
        return bool(gevent.with_timeout(timeout, self._reach, self._staged, timeout_value=False))

    def _reach(self, goal: int) -> bool:
        while self._durable < goal:
            self._settled.clear()
            self._settled.wait()
        return True

    def run(self) -> None:
        """Commit forever."""
        while True:
            self._came.wait()
            self._came.clear()
            if self._waiting:
                self.step()

    def step(self) -> None:
        """Commit all waiting batches as one group."""
        group, size = _Group(), 0
        self._staged += 1
        while self._waiting:
            intake = self._waiting.popleft()
            size += intake.size
            self._stage(intake, group)
        if group.passed:
            self._make_durable(group)
        self._durable = self._staged
        self._settled.set()
        for topic, header, body in group.messages:
            self._publish(topic, header, body)
        for intake, ack in group.acks:
            self.repeated += ack.repeated
            self._acknowledge(intake, ack)
        for intake, reason in group.refused:
            self._refuse(intake, reason)
        self._bytes -= size
        self._room.set()

    def close(self) -> None:
        """Release the thread. Call it when :meth:`run` has ended."""
        self._pool.kill()

    def _stage(self, intake: ReceivedBatch, group: _Group) -> None:
        bodies = [frame.buffer for frame in intake.frames]
        try:
            new = self._filter.new_records(intake.header, bodies)
        except ValueError as error:
            group.refused.append((intake, str(error)))
            return
        group.acks.append((intake, Ack(intake.seq, new.accepted, new.repeated)))
        if not new:
            return
        header, kept = self._log.topics.assign(new.header, new.bodies)
        headers = self._log.stage(header, kept)
        frames = intake.frames if kept is bodies else kept
        for part, message, frame in zip(header.parts, headers, frames, strict=True):
            group.messages.append((part.topic, message, frame))
        seq = self._log.staged_seq
        group.passed.append(Passed(self._log.identity, seq, header.source, header.ns, header.rejected))

    def _make_durable(self, group: _Group) -> None:
        lines = [passed for passed in group.passed if passed.ns or passed.rejected]

        def write() -> bool:
            self._check_room()
            rotated = self._log.commit()
            self._store.append(lines)
            return rotated

        while isinstance(rotated := self._in_thread(write), OSError):
            if rotated.errno == errno.ENOENT:
                raise LogError(
                    f"{self._folder} was removed: restart the broker; it starts a new log"
                ) from rotated
            self._block(rotated)
            gevent.sleep(_RETRY_SECONDS)
        if self.blocked:
            logger.warning("writing again; it was blocked: %s", self.blocked)
            self.blocked = ""
        if rotated:
            self._snapshot()

    def _in_thread(self, work: Callable[[], T]) -> T | OSError:
        """Run ``work`` in a thread. An OSError is returned as a value, since the pool would print it."""

        def guarded() -> T | OSError:
            try:
                return work()
            except OSError as error:
                return error

        return cast(T | OSError, self._pool.spawn(guarded).get())

    def _snapshot(self) -> None:
        """Save the filter, so that the tail stays short and old segments can be deleted."""
        sources, identity, seq = encoded(self._filter), self._log.identity, self._log.seq
        failed = self._in_thread(lambda: self._store.save(identity, seq, sources))
        if failed:
            logger.warning("the filter's snapshot was not saved, the next segment tries again: %s", failed)

    def _check_room(self) -> None:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free < self._min_free_bytes:
            raise OSError(
                f"{free >> 20} MB free on the disk of {self._folder}, expected at least "
                f"{self._min_free_bytes >> 20} MB (broker.min_free_mb): free some space, work resumes automatically"
            )

    def _block(self, error: OSError) -> None:
        if not self.blocked:
            logger.error("nothing is acknowledged: %s", error)
        self.blocked = f"{error} ({self._folder})" if error.errno else str(error)
