"""Commits batches group by group: filters, numbers, writes durably, then publishes and acknowledges them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gevent
import zmq.green as zmq
from gevent.event import Event

from analytics.broker.disk import Disk
from analytics.broker.filter import MOST_ACTIVE, Filter
from analytics.broker.filterstore import FilterStore, Passed, encoded
from analytics.broker.inbox import Inbox, ReceivedBatch
from analytics.broker.log import Log
from analytics.broker.wire import Ack, Buffer, MessageHeader

logger = logging.getLogger(__name__)

_MORE_SOURCES = 1000
"""So many sources beyond the most are in memory before some are stored together."""


@dataclass(slots=True)
class _Commit:
    """The batches of one commit, with their messages and acknowledgements."""

    messages: list[tuple[str, MessageHeader, "zmq.Frame | Buffer"]] = field(default_factory=list)
    acks: list[tuple[ReceivedBatch, Ack]] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    refused: list[tuple[ReceivedBatch, str]] = field(default_factory=list)


class Committer:
    """Commits all batches that arrived during the previous commit.

    While the disk fails, or is nearly full, ``disk.blocked`` has the reason, nothing is acknowledged, and the group is
    retried each second.
    """

    def __init__(
        self,
        log: Log,
        known: Filter,
        store: FilterStore,
        disk: Disk,
        publish: Callable[[str, MessageHeader, "zmq.Frame | Buffer"], None],
        acknowledge: Callable[[ReceivedBatch, Ack], None],
        refuse: Callable[[ReceivedBatch, str], None],
    ) -> None:
        self.repeated = 0
        self.inbox = Inbox()
        self._log = log
        self._filter = known
        self._store = store
        self.disk = disk
        self._publish = publish
        self._acknowledge = acknowledge
        self._refuse = refuse
        self._staged = 0
        self._durable = 0
        self._most_sources = MOST_ACTIVE + _MORE_SOURCES
        self._settled = Event()

    def settle(self, timeout: float) -> bool:
        """Wait until all records in the filter are durable. Return False after ``timeout`` seconds."""
        return bool(gevent.with_timeout(timeout, self._reach, self._staged, timeout_value=False))

    def _reach(self, goal: int) -> bool:
        while self._durable < goal:
            self._settled.clear()
            self._settled.wait()
        return True

    def run(self) -> None:
        while True:
            taken = self.inbox.take()
            self._commit(taken)
            self.inbox.done(taken)

    def _commit(self, taken: Sequence[ReceivedBatch]) -> None:
        group = _Commit()
        self._staged += 1
        for intake in taken:
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
        if len(self._filter.sources) > self._most_sources:
            self._store_quiet()

    def _stage(self, intake: ReceivedBatch, group: _Commit) -> None:
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

    def _make_durable(self, group: _Commit) -> None:
        lines = [passed for passed in group.passed if passed.ns or passed.rejected]

        def write() -> bool:
            rotated = self._log.commit()
            self._store.append(lines)
            return rotated

        if self.disk.write(write):
            self._snapshot()

    def _store_quiet(self) -> None:
        """Move the sources that were not used for longest from memory to the disk: all that is known of them is durable."""
        quiet = self._filter.quiet()
        failed = self.disk.try_once(lambda: self._store.quiet.put(quiet))
        if failed:
            logger.warning("quiet sources stay in memory: %s", failed)
        else:
            self._filter.leave(quiet)
        self._most_sources = max(MOST_ACTIVE, len(self._filter.sources)) + _MORE_SOURCES

    def _snapshot(self) -> None:
        """Save the filter, so that the tail stays short and old segments can be deleted."""
        sources, identity, seq = encoded(self._filter), self._log.identity, self._log.seq
        failed = self.disk.try_once(lambda: self._store.save(identity, seq, sources))
        if failed:
            logger.warning("the filter's snapshot was not saved, the next segment tries again: %s", failed)
