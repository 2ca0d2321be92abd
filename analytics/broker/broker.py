"""The broker: Receiver, filter bolt, Queue, Sender and refill as one node."""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import msgspec

from analytics.broker.authentication import BROKER, Authenticator, make_keys, server_options
from analytics.broker.committer import Committer
from analytics.broker.endpoints import listen
from analytics.broker.filter import Filter
from analytics.broker.filterstore import FilterStore, encoded
from analytics.broker.limits import Port, Watch
from analytics.broker.log import NOTHING, Log, Retention
from analytics.broker.positions import Positions
from analytics.broker.receiver import Receiver
from analytics.broker.refill import Answer, RefillEndpoint
from analytics.broker.sender import MOST_SUBSCRIBER_BYTES, MOST_SUBSCRIPTIONS, Sender
from analytics.broker.sessions import Sessions
from analytics.broker.sockets import patience
from analytics.broker.topics import LONGEST
from analytics.broker.wire import (
    MOST_REQUEST_BYTES,
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
from analytics.system.locks import FileLock
from analytics.system.tasks import TaskGroup

logger = logging.getLogger(__name__)

_BEAT_SECONDS = 1.0  # between heartbeats without news
_NEWS_SECONDS = 0.1  # between heartbeats with news
_ANSWER_SECONDS = 3.0  # the most time to wait for the disk before an answer
_MAX_PAGE_BYTES = 16_000_000  # of messages in one answer of refill
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
        self._filter = Filter()
        self._sessions = Sessions()
        self._tasks = TaskGroup(self.name)
        self._next_beat = 0.0
        self._published: dict[str, Head] = {}

    def start(self) -> None:
        """Open the log and the filter, bind the sockets. Raise LogError if the log can't be used."""
        section = self.bound
        self._lock = FileLock(
            self._data / "broker.lock", "another broker runs on this data folder: stop it first"
        )
        try:
            self._make_own_keys()
            security = server_options(section)
            self._open()
        except BaseException:
            self._lock.close()
            raise
        options = patience(section)
        self._authenticator = Authenticator(Path(section.keys)) if section.keys else None
        self._sender = Sender(**options)
        self._committer = Committer(
            self._log,
            self._filter,
            self._store,
            self._data / "queue",
            int(section.min_free_mb * (1 << 20)),
            self._sender.publish,
            lambda intake, ack: self._receiver.acknowledge(intake, ack),
            lambda intake, reason: self._receiver.refuse(intake, reason),
        )
        self._receiver = Receiver(self._committer.put, **options)
        self._refill = RefillEndpoint(self._answer, **options)
        self.bound = msgspec.structs.replace(
            section,
            receiver_port=listen(self._receiver.socket, section, "receiver", security),
            sender_port=listen(self._sender.socket, section, "sender", security),
            refill_port=listen(self._refill.socket, section, "refill", security),
        )
        ports = self._watched()
        work: list[Callable[[], None]] = [
            self._committer.run,
            partial(self._receiver.run, ports[0]),
            partial(self._refill.run, ports[1]),
            partial(self._sender.follow_subscriptions, ports[2]),
            *self._watch.loops(),
        ]
        if self._authenticator is not None:
            work.append(self._authenticator.run)
        for loop in work:
            self._tasks.spawn(loop)

    def _watched(self) -> list[Port]:
        """Return the ports of Receiver, refill and Sender, under a Watch."""
        keyless = self._authenticator.note_keyless if self._authenticator is not None else lambda: None
        ports = [
            Port(self._receiver.socket, keyless),
            # Clients wait for each answer before the next request. An empty frame costs fifty times its size on the wire.
            Port(self._refill.socket, keyless, most_unseen=2 * MOST_REQUEST_BYTES),
            Port(self._sender.socket, keyless, MOST_SUBSCRIBER_BYTES, MOST_SUBSCRIPTIONS),
        ]
        self._watch = Watch(*ports)
        return ports

    def step(self) -> None:
        """Send the heartbeat when it is due. Return soon. Raise the error of any part of the broker that failed."""
        self._tasks.check(_NEWS_SECONDS)
        heads = self._log.heads
        # Each commit makes new heads: a subscriber that lost the last message of a burst need not wait for a second.
        if heads is not self._published or time.monotonic() >= self._next_beat:
            self._published, self._next_beat = heads, time.monotonic() + _BEAT_SECONDS
            self._sender.beat(Heartbeat(self._log.identity, heads))

    def stop(self) -> None:
        """Stop accepting batches, and close. Publishers send unacknowledged batches again."""
        if self._tasks.stopping:
            return
        self._tasks.stop()
        self._watch.close()
        for part in (self._receiver, self._sender, self._refill, self._committer, self._log, self._store):
            part.close()
        if self._authenticator is not None:
            self._authenticator.close()
        self._lock.close()

    def state(self) -> dict[str, Any]:
        """Return the BrokerState as plain data, the number of invalid messages, and the error of an unreadable log."""
        state: dict[str, Any] = msgspec.to_builtins(self.facts())
        malformed = self._receiver.malformed + self._refill.malformed
        more = {"malformed": malformed, "damage": self._refill.damage, "hung_up": self._watch.hung_up}
        return state | more

    def facts(self) -> BrokerState:
        """Return the broker's state for ``status``."""
        disk = os.statvfs(self._data)
        heads = self._log.heads  # a commit replaces them, in its thread
        return BrokerState(
            log=self._log.identity,
            heads=heads,
            staged=self._log.staged(heads),
            sources=self._filter.states(),
            bolts=self._positions.bolts,
            blocked=self._committer.blocked,
            disk_bytes=self._log.disk_bytes(),
            free_bytes=disk.f_bavail * disk.f_frsize,
            repeated=self._committer.repeated,
            waiting=self._waiting(),
            refused_keys=self._authenticator.refused if self._authenticator is not None else 0,
            refused_keyless=self._authenticator.keyless if self._authenticator is not None else 0,
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
        queue = self._data / "queue"
        self._store = FilterStore(self._data / "filter")
        expect = self._store.load(self._filter)
        segment_bytes = int(self.bound.segment_mb * (1 << 20))
        read = {topic for topics in self._bolts.values() for topic in topics}
        self._log = Log(queue, segment_bytes, self.bound.fsync, expect, read)
        for entry in self._log.entries(self._store.saved(self._log.identity)):
            if entry.ns or entry.rejected:
                self._filter.note(entry.source, entry.ns, entry.rejected)
        self._save_filter()
        self._positions = Positions(queue / "bolts.json", self._log.identity, self._bolts, self._own)

    def _make_own_keys(self) -> None:
        """Make the default keys in the data folder at the first start, if none are configured."""
        if self.bound.keys and Path(self.bound.keys) == self._data / "keys":
            for name in (BROKER, self.bound.key_name):
                make_keys(Path(self.bound.keys), name)

    def _save_filter(self) -> None:
        """Start with a short tail. On a full disk, the old snapshot and tail stay valid."""
        try:
            self._store.save(self._log.identity, self._log.seq, encoded(self._filter))
        except OSError as error:
            logger.warning("the filter's snapshot was not saved: %s", error)

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
                ns = self._filter.unknown(request.source, request.ns)
                # The filter's newest records may not be on the disk yet: wait until they are durable.
                return (
                    (msgspec.json.encode({"ns": ns}), []) if self._committer.settle(_ANSWER_SECONDS) else None
                )
            case State():
                return encode(self.facts()), []

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
        while True:
            messages, more, oldest = self._log.read(request.after, min(request.max_bytes, _MAX_PAGE_BYTES))
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
            since = time.time() - self.bound.keep_hours * 3600
            keep = (
                Retention()
                if self._committer.blocked
                else Retention(since, int(self.bound.keep_mb * (1 << 20)))
            )
            self._log.drop(passed, self._store.saved(self._log.identity), keep)
        except OSError as error:
            # The client can't fix it, and the next start finds the file again.
            logger.warning("a segment that all bolts have passed was not deleted: %s", error)
