"""The broker: Receiver, filter bolt, Queue, Sender and refill as one node."""

import logging
import os
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import gevent
import msgspec

from analytics.broker.authentication import BROKER, make_keys, server_options
from analytics.broker.batches import check_pairs
from analytics.broker.committer import Committer
from analytics.broker.disk import Disk
from analytics.broker.frontend import Frontend
from analytics.broker.log import NOTHING, Retention
from analytics.broker.opening import ENGINE_COUNTS, FORGETTING, QUEUE, refuse
from analytics.broker.positions import Positions
from analytics.broker.refill import Answer
from analytics.broker.sessions import Sessions
from analytics.broker.stored import lock, open_stored
from analytics.broker.topics import LONGEST
from analytics.broker.wire import (
    Accepted,
    BrokerState,
    Head,
    Heartbeat,
    Join,
    Leave,
    Page,
    Read,
    Report,
    Request,
    State,
    Unknown,
    encode,
)
from analytics.config import BrokerSection
from analytics.system.tasks import TaskGroup

logger = logging.getLogger(__name__)

_BEAT_SECONDS = 1.0  # between heartbeats without news
_NEWS_SECONDS = 0.1  # between heartbeats with news
_ANSWER_SECONDS = 3.0  # the most time to wait for the disk before an answer
_MAX_PAGE_BYTES = 16_000_000  # of messages in one answer of refill
_CROWDED_PAGE_BYTES = 256_000  # while the memory is full of what clients do not read
_MOST_POSITIONS = 500
"""Topics that one bolt may report."""


class Broker:
    """The node ``broker``. Its log is in ``data/queue``, the filter's state in ``data/filter``.

    Args:
        section: endpoints and sizes. Port 0 becomes a free port; :attr:`bound` has the real ones.
        data: the data folder.
        bolts: the configured bolts with the topics that each reads; segments wait for them.
        own: the names of the suite's bolts. Segments do not wait for those that are not configured.
    """

    name = "broker"
    role = "broker"

    def __init__(
        self,
        section: BrokerSection,
        data: Path,
        bolts: Mapping[str, Iterable[str]] | None = None,
        own: Collection[str] = (),
    ) -> None:
        self.bound = section
        self._data = data
        self._bolts = bolts or {}
        self._own = own
        self._sessions = Sessions()
        self._tasks = TaskGroup(self.name)
        self._next_beat = 0.0
        self._published: dict[str, Head] = {}

    def start(self) -> None:
        """Open the log and the filter, bind the sockets. Raise LogError if the log can't be used."""
        section = self.bound
        self._lock = lock(self._data)
        try:
            self._make_own_keys()
            security = server_options(section)
            self._open()
        except BaseException:
            self._lock.close()
            raise
        self._frontend = Frontend(
            section, security, lambda intake: self._committer.inbox.put(intake), self._answer
        )
        self.bound = self._frontend.bound
        self._committer = Committer(
            self._log,
            self._filter,
            self._store,
            Disk(self._data / "queue", int(section.min_free_mb * (1 << 20))),
            self._frontend.publish,
            self._frontend.receiver.acknowledge,
            self._frontend.receiver.refuse,
        )
        self._tasks = TaskGroup(self.name)
        for loop in (self._committer.run, *self._frontend.loops()):
            self._tasks.spawn(loop)

    def step(self) -> None:
        """Send the heartbeat when it is due. Return soon. Raise the error of any part of the broker that failed."""
        self._tasks.check(_NEWS_SECONDS)
        heads = self._log.heads
        # Each commit makes new heads: a subscriber that lost the last message of a burst need not wait for a second.
        if heads is not self._published or time.monotonic() >= self._next_beat:
            self._published, self._next_beat = heads, time.monotonic() + _BEAT_SECONDS
            self._frontend.sender.beat(Heartbeat(self._log.identity, heads))

    def stop(self) -> None:
        """Stop accepting batches, and close. Publishers send unacknowledged batches again."""
        if not self._tasks.running:
            return
        self._tasks.stop()
        self._frontend.close()
        for part in (self._committer.disk, self._log, self._store):
            part.close()
        self._lock.close()

    def state(self) -> dict[str, Any]:
        """Return the BrokerState as plain data, the number of invalid messages, and the error of an unreadable log."""
        state: dict[str, Any] = msgspec.to_builtins(self.facts())
        return state | self._frontend.state()

    def facts(self) -> BrokerState:
        """Return the broker's state for ``status``."""
        disk = os.statvfs(self._data)
        heads = self._log.heads  # a commit replaces them, in its thread
        guard = self._frontend.authenticator
        return BrokerState(
            log=self._log.identity,
            heads=heads,
            staged=self._log.staged(heads),
            sources=self._filter.states(),
            bolts=self._positions.bolts,
            blocked=self._committer.disk.blocked,
            disk_bytes=self._log.disk_bytes(),
            free_bytes=disk.f_bavail * disk.f_frsize,
            repeated=self._committer.repeated,
            waiting=self._waiting(),
            active_streams=len(self._filter.sources),
            refused_keys=guard.refused if guard is not None else 0,
            refused_keyless=guard.keyless if guard is not None else 0,
            filter=self._store.identity,
        )

    def _waiting(self) -> dict[str, dict[str, float]]:
        """Return, per bolt and topic with unread messages, the age in seconds of the oldest one."""
        now = time.time()
        result = {}
        for bolt, positions in self._positions.bolts.items():
            since = self._log.waiting({topic: head.number for topic, head in positions.items()})
            if since:
                result[bolt] = {topic: round(max(0.0, now - at), 3) for topic, at in since.items()}
        return result

    def _open(self) -> None:
        """Open filter and log, and add the log's records to the filter that its own files lack."""
        refuse(self._data, ENGINE_COUNTS, FORGETTING)
        read = {topic for topics in self._bolts.values() for topic in topics}
        stored = open_stored(self.bound, self._data, read)
        self._store, self._filter, self._log = stored.store, stored.filter, stored.log
        try:
            stored.save_filter()
        except OSError as error:
            # The old snapshot and tail stay valid.
            logger.warning("the filter's snapshot was not saved: %s", error)
        path = self._data / QUEUE / "bolts.json"
        self._positions = Positions(path, self._log.identity, self._bolts, self._own)

    def _make_own_keys(self) -> None:
        """Make the default keys in the data folder at the first start, if none are configured."""
        if self.bound.keys and Path(self.bound.keys) == self._data / "keys":
            for name in (BROKER, self.bound.key_name):
                make_keys(Path(self.bound.keys), name)

    def _answer(self, request: Request) -> Answer | None:
        match request:
            case Read():
                return self._page(request)
            case Join():
                session = self._sessions.join(request.bolts, request.session)
                return msgspec.json.encode({"session": session}), []
            case Leave():
                self._sessions.leave(request.session)
                return b"{}", []
            case Report():
                self._sessions.check(request.bolt, request.session)
                self._check_report(request)
                if self._positions.report(request.bolt, request.log, request.positions, request.again):
                    self._drop()
                return b"{}", []
            case Unknown():
                check_pairs("ns", request.ns)
                ns = self._filter.unknown(request.source, request.ns)
                return self._settled(msgspec.json.encode({"ns": ns}))
            case Accepted():
                return self._settled(encode(self._store.page(self._filter, request.after)))
            case State():
                return encode(self.facts()), []

    def _settled(self, answer: bytes) -> Answer | None:
        """Return an answer of the filter, whose newest records may not be on the disk yet, once they are durable."""
        return (answer, []) if self._committer.settle(_ANSWER_SECONDS) else None

    def _check_report(self, request: Report) -> None:
        """Raise ValueError for a position beyond what the Queue holds."""
        if len(request.positions) > _MOST_POSITIONS or any(
            len(topic) > LONGEST for topic in request.positions
        ):
            raise ValueError(
                f"{request.bolt} reports {len(request.positions)} topics, expected at most {_MOST_POSITIONS}"
            )
        for topic, head in request.positions.items() if request.log == self._log.identity else ():
            newest = self._log.heads.get(topic, NOTHING)
            if head.number > newest.number:
                raise ValueError(
                    f"{request.bolt} reports number {head.number} of {topic}, the newest is {newest.number}"
                )
            if not (
                0 <= head.records <= newest.records and 0 <= head.tuples <= newest.tuples and head.number >= 0
            ):
                raise ValueError(f"{request.bolt} reports {head} of {topic}, expected at most {newest}")

    def _page(self, request: Read) -> Answer:
        until = time.monotonic() + _ANSWER_SECONDS
        most = _CROWDED_PAGE_BYTES if self._frontend.crowded else _MAX_PAGE_BYTES
        while True:
            messages, more, oldest = self._log.read(request.after, min(request.max_bytes, most))
            if messages or not more or time.monotonic() > until:
                break
            gevent.sleep(0)
        heads = {topic: self._log.heads.get(topic, NOTHING) for topic in request.after}
        return encode(Page(self._log.identity, heads, oldest, more)), messages

    def _drop(self) -> None:
        passed = self._positions.passed()
        if passed is None:
            return
        try:
            keep = Retention()
            if not self._committer.disk.blocked:
                since = time.time() - self.bound.keep_hours * 3600
                keep = Retention(since, int(self.bound.keep_mb * (1 << 20)))
            self._log.drop(passed, self._store.saved(self._log.identity), keep)
        except OSError as error:
            # The client can't fix it, and the next start finds the file again.
            logger.warning("a segment that all bolts have passed was not deleted: %s", error)
