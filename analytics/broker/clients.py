"""The broker's clients, for spouts and workers. Each survives a restart of the broker."""

import itertools
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import gevent
import msgspec
import zmq.green as zmq
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore

from analytics.broker.endpoints import address, connected
from analytics.broker.sockets import Socket
from analytics.broker.wire import (
    ACK,
    BATCH,
    HEARTBEAT_TOPIC,
    MOST_BYTES,
    MOST_HEADER_BYTES,
    REFUSED,
    Accepted,
    AcceptedPage,
    Ack,
    Batch,
    BrokerState,
    Head,
    Heartbeat,
    Join,
    Leave,
    Message,
    MessageHeader,
    Page,
    Read,
    Report,
    Request,
    State,
    Unknown,
    encode,
    subscription,
)
from analytics.config import BrokerSection
from analytics.core.intervals import Pair
from analytics.core.numberset import NumberSet
from analytics.errors import Refused, Unavailable
from analytics.system.tasks import TaskGroup

logger = logging.getLogger(__name__)

RESEND_SECONDS = 1.0  # without an acknowledgement; a group is durable within milliseconds on a healthy disk
SILENT_SECONDS = 15.0
"""A broker that acknowledges nothing for this long is reported, since a frozen one keeps its connections."""
_HIGH_WATER_MARK = 8  # requests are sent one at a time
_ROOM = 64 << 10
"""Bytes that encryption and framing may add to a batch."""
_PAIRS_AT_ONCE = 20_000  # fit into one request of 1 MB

_decode_ack = msgspec.json.Decoder(Ack).decode
_decode_header = msgspec.json.Decoder(MessageHeader).decode
_decode_heartbeat = msgspec.json.Decoder(Heartbeat).decode


@dataclass(slots=True)
class _Unacked:
    frames: list[bytes]
    result: "AsyncResult[Ack]"


class Publisher:
    """Sends batches to the Receiver until each is acknowledged. Many greenlets may use it.

    Args:
        name: of the process, to recognise messages. Each instance adds a random part.
        window: the most unacknowledged batches.
    """

    def __init__(self, broker: BrokerSection, name: str, window: int = 8) -> None:
        # A window and its repetition: only a broker that is down or blocked makes it wait.
        self._socket = connected(zmq.DEALER, broker, "receiver", SNDHWM=2 * window)
        self._name = f"{name}-{secrets.token_hex(16)}".encode()[-255:]
        self._window = BoundedSemaphore(window)
        self._unacked: OrderedDict[int, _Unacked] = OrderedDict()
        self._unsent: deque[int] = deque()
        self._seqs = itertools.count(1)
        self._wake = Event()
        self._acked = Event()
        self._moved = self._heard = time.monotonic()
        self._tasks = TaskGroup(name, self._fail)
        self._tasks.spawn(self._send_all)
        self._tasks.spawn(self._take_acks)

    def publish(self, batch: Batch) -> "AsyncResult[Ack]":
        """Send a batch; wait while the window is full. The result is set when the batch is durable.

        The result raises Refused if the broker finds the batch malformed. Raise Refused at once if it is too large.
        """
        seq = next(self._seqs)
        frames = [BATCH, b"%d" % seq, self._name, encode(batch.header), *batch.bodies]
        if (size := sum(map(len, frames)) + _ROOM) > MOST_BYTES or len(frames[3]) > MOST_HEADER_BYTES:
            raise Refused(
                f"a batch of {batch.header.source or batch.header.parts[0].topic} has {size} bytes, {len(frames[3])} of them "
                f"its header; the broker takes {MOST_BYTES}, and {MOST_HEADER_BYTES}: send less together"
            )
        self._window.acquire()
        self._tasks.check()
        waiting = _Unacked(frames, AsyncResult())
        if not self._unacked:
            self._heard = time.monotonic()
        self._unacked[seq] = waiting
        self._unsent.append(seq)
        self._wake.set()
        return waiting.result

    @property
    def problem(self) -> str:
        """Why nothing is acknowledged, "" unless the broker has been silent for long with batches unacknowledged."""
        silent = time.monotonic() - self._heard
        if not self._unacked or silent < SILENT_SECONDS:
            return ""
        return f"the broker has acknowledged nothing for {silent:.0f} s: it is down, frozen, or accepts nothing; records wait"

    def close(self, timeout: float = 5.0) -> bool:
        """Wait for acknowledgements, then close. Return True if everything was acknowledged."""
        gevent.with_timeout(timeout, self._all_acked, timeout_value=None)
        self._tasks.stop()
        self._socket.close(linger=0)
        return not self._unacked

    def _all_acked(self) -> None:
        while self._unacked and self._tasks.error is None:
            self._acked.clear()
            self._acked.wait()

    def _send_all(self) -> None:
        while True:
            while self._unsent:
                waiting = self._unacked.get(self._unsent.popleft())
                if waiting is not None:
                    self._send(waiting.frames)
                    gevent.sleep(0)
            self._wake.clear()
            if not self._wake.wait(RESEND_SECONDS / 4) and self._overdue():
                logger.debug("resending %d batches", len(self._unacked))
                self._unsent.extend(self._unacked)
                self._moved = time.monotonic()

    def _send(self, frames: list[bytes]) -> None:
        if len(self._unacked) == 1:
            self._moved = time.monotonic()
        while True:
            try:
                self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
                return
            except zmq.Again:
                gevent.sleep(0.02)

    def _overdue(self) -> bool:
        return bool(self._unacked) and time.monotonic() - self._moved >= RESEND_SECONDS

    def _take_acks(self) -> None:
        while True:
            kind, *rest = self._socket.recv_multipart()
            self._moved = self._heard = time.monotonic()
            if kind == ACK:
                ack = _decode_ack(rest[0])
                self._resolve(ack.seq, ack)
            elif kind == REFUSED and rest[0].isdigit():
                reason = rest[1].decode(errors="replace")
                self._resolve(int(rest[0]), Refused(f"the broker refused a batch: {reason}"))

    def _resolve(self, seq: int, outcome: Ack | Refused) -> None:
        waiting = self._unacked.pop(seq, None)
        if waiting is None:
            return
        if isinstance(outcome, Ack):
            waiting.result.set(outcome)
        else:
            waiting.result.set_exception(outcome)
        self._window.release()
        self._acked.set()

    def _fail(self, failure: BaseException) -> None:
        for waiting in self._unacked.values():
            waiting.result.set_exception(failure)
            self._window.release()
        self._acked.set()


class Subscriber:
    """Receives the Sender's messages of some topics, and its heartbeat. Messages may be lost: their numbers show it.

    Args:
        topics: exact names.
        prefixes: prefixes of further topics.
    """

    def __init__(
        self, broker: BrokerSection, topics: Iterable[str], hwm: int = 8, prefixes: Iterable[str] = ()
    ) -> None:
        self._socket = connected(zmq.SUB, broker, "sender", RCVHWM=hwm)
        for prefix in prefixes:
            self._socket.set(zmq.SUBSCRIBE, prefix.encode())
        for topic in (HEARTBEAT_TOPIC, *topics):
            self._socket.set(zmq.SUBSCRIBE, subscription(topic))
        self._taken = 0

    def recv(self, timeout: float) -> Message | Heartbeat | None:
        """Return the next message, or None after ``timeout`` seconds."""
        self._taken += 1
        if self._taken % 16 == 0:
            gevent.sleep(0)
        frames: list[bytes] | None
        try:
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            frames = gevent.with_timeout(timeout, self._socket.recv_multipart, timeout_value=None)
        if frames is None:
            return None
        topic = frames[0][:-1].decode()
        if topic == HEARTBEAT_TOPIC:
            return _decode_heartbeat(frames[1])
        return Message(topic, _decode_header(frames[1]), frames[2])

    def close(self) -> None:
        self._socket.close(linger=0)


class Refill:
    """Sends requests to the refill endpoint, one at a time. Many greenlets may use it.

    Each call raises Unavailable if no answer arrives in time, and may be repeated; Refused, with the broker's
    reason, if the broker rejects the request.
    """

    def __init__(self, broker: BrokerSection, timeout: float = 5.0) -> None:
        self._broker = broker
        self._timeout = timeout
        self._tags = itertools.count(1)
        self._turn = BoundedSemaphore(1)
        self._session = ""
        self._joined: set[str] = set()
        self._socket = self._connect()

    def read(self, after: Mapping[str, int], max_bytes: int = 8_000_000) -> tuple[Page, list[Message]]:
        """Return messages of each topic with numbers above ``after``, in the log's order, with the page's other facts."""
        answer, *frames = self._ask(Read(dict(after), max_bytes))
        messages = [
            Message(topic.decode(), _decode_header(header), body)
            for topic, header, body in zip(frames[::3], frames[1::3], frames[2::3], strict=True)
        ]
        return msgspec.json.decode(answer, type=Page), messages

    def report(self, bolt: str, log: str, positions: Mapping[str, Head], again: bool = False) -> None:
        """Report up to which numbers a bolt is done; ``again``: it has gone back to these.

        Without a session for the bolt, it joins first. Refused may mean that another process holds the session.
        """
        if bolt in self._joined:
            try:
                self._ask(Report(bolt, log, dict(positions), again, self._session))
                return
            except Refused:  # a restarted broker does not know the session
                self._joined.clear()
        self._join([bolt])
        self._ask(Report(bolt, log, dict(positions), again, self._session))

    def keep_session(self) -> None:
        """Keep the sessions of the bolts that report here alive."""
        if self._joined:
            self._join(list(self._joined))

    def leave(self) -> None:
        """End the session, so that another process may report at once."""
        if self._joined:
            self._joined.clear()
            self._ask(Leave(self._session))

    def _join(self, bolts: list[str]) -> None:
        answer = self._ask(Join(bolts, self._session))[0]
        self._session = msgspec.json.decode(answer, type=dict[str, str])["session"]
        self._joined.update(bolts)

    def unknown(self, source: str, ns: Sequence[Pair]) -> list[Pair]:
        """Return which of a source's record numbers were never accepted."""
        found: list[Pair] = []
        for begin in range(0, len(ns), _PAIRS_AT_ONCE):
            answer = self._ask(Unknown(source, list(ns[begin : begin + _PAIRS_AT_ONCE])))[0]
            found += msgspec.json.decode(answer, type=dict[str, list[Pair]])["ns"]
        return found

    def accepted(self) -> Iterator[tuple[str, NumberSet]]:
        """Yield each source of which the filter has accepted records, with all of their numbers."""
        after = ""
        while page := msgspec.json.decode(self._ask(Accepted(after))[0], type=AcceptedPage).sources:
            yield from ((source, NumberSet.load(numbers)) for source, numbers in page.items())
            after = max(page)

    def state(self) -> BrokerState:
        return msgspec.json.decode(self._ask(State())[0], type=BrokerState)

    def close(self) -> None:
        self._socket.close(linger=0)

    def _ask(self, request: Request) -> list[bytes]:
        with self._turn:
            answer = gevent.with_timeout(self._timeout, self._exchange, encode(request), timeout_value=None)
            if answer is None:
                self._reconnect()
                raise Unavailable(self._silent())
        if answer[0].startswith(b'{"error"'):
            raise Refused(msgspec.json.decode(answer[0])["error"])
        return answer

    def _exchange(self, request: bytes) -> list[bytes]:
        tag = b"%d" % next(self._tags)
        self._socket.send_multipart([tag, request])
        while True:
            answered, *answer = self._socket.recv_multipart()
            if answered == tag:
                return answer

    def _reconnect(self) -> None:
        """Drop queued requests: a broker that is back should not answer requests that were given up."""
        self._socket.close(linger=0)
        self._socket = self._connect()

    def _connect(self) -> Socket:
        return connected(zmq.DEALER, self._broker, "refill", SNDHWM=_HIGH_WATER_MARK)

    def _silent(self) -> str:
        broker = self._broker
        hint = f", and does it know the key {broker.key_name}" if broker.keys and not broker.sockets else ""
        return f"the broker at {address(broker, 'refill')} did not answer within {self._timeout:g} s: is it running{hint}?"
