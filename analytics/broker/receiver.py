"""The Receiver: takes batches in from spouts and bolts, and answers each once it is durable."""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import gevent
import msgspec
import zmq.green as zmq

from analytics.broker.committer import Intake
from analytics.broker.sockets import bind, bound_port, new_socket
from analytics.broker.wire import ACK, BATCH, HEARTBEAT_TOPIC, REFUSED, Ack, BatchHeader, encode

logger = logging.getLogger(__name__)

_HIGH_WATER_MARK = 8
_MAX_FRAME = 256 << 20
_OVERHEAD = 4096  # what a small batch costs besides its bytes, in memory and time
_REMEMBERED_PUBLISHERS = 256
_REMEMBERED_ACKS = 64

_decode = msgspec.json.Decoder(BatchHeader).decode


class Receiver:
    """A ROUTER socket. Publishers resend what is not acknowledged, so answers may be dropped, never waited for.

    A publisher's ``routing_id`` belongs to one instance of it: its batches are known again by their ``seq``, so one
    that is resent while the first copy waits for the disk is not taken twice.
    """

    def __init__(self, address: str, put: Callable[[Intake], bool], **options: int | bytes) -> None:
        self.socket = new_socket(
            zmq.ROUTER,
            RCVHWM=_HIGH_WATER_MARK,
            SNDHWM=4 * _REMEMBERED_ACKS,
            ROUTER_MANDATORY=1,
            ROUTER_HANDOVER=1,
            MAXMSGSIZE=_MAX_FRAME,
            **options,
        )
        bind(self.socket, address)
        self._put = put
        self._under_way: set[tuple[bytes, int]] = set()
        self._acks: OrderedDict[bytes, deque[Ack]] = OrderedDict()
        self.malformed = 0

    @property
    def port(self) -> int:
        """The bound port."""
        return bound_port(self.socket)

    def run(self) -> None:
        """Take batches in for ever."""
        while True:
            for _ in range(16):
                self._take(self.socket.recv_multipart(copy=False))
            gevent.sleep(0)

    def acknowledge(self, intake: Intake, ack: Ack) -> None:
        """Tell the publisher that its batch is durable."""
        self._under_way.discard((intake.publisher, intake.seq))
        self._acks.setdefault(intake.publisher, deque(maxlen=_REMEMBERED_ACKS)).append(ack)
        self._acks.move_to_end(intake.publisher)
        while len(self._acks) > _REMEMBERED_PUBLISHERS:
            self._acks.popitem(last=False)
        self._send([intake.publisher, ACK, encode(ack)])

    def refuse(self, intake: Intake, reason: str) -> None:
        """Tell the publisher that its batch can never be taken, and why."""
        self._under_way.discard((intake.publisher, intake.seq))
        self._refuse(intake.publisher, b"%d" % intake.seq, reason)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _take(self, frames: "Sequence[zmq.Frame]") -> None:
        publisher = frames[0].bytes
        try:
            intake = _intake(frames)
        except (ValueError, RecursionError) as error:
            self._refuse(publisher, frames[2].bytes[:20] if len(frames) > 2 else b"", str(error))
            return
        known = next((ack for ack in self._acks.get(publisher, ()) if ack.seq == intake.seq), None)
        if known is not None:
            self._send([publisher, ACK, encode(known)])
        elif (publisher, intake.seq) not in self._under_way:
            self._under_way.add((publisher, intake.seq))
            if not self._put(intake):
                self._under_way.discard((publisher, intake.seq))

    def _refuse(self, publisher: bytes, seq: bytes, reason: str) -> None:
        self.malformed += 1
        logger.warning("refused a batch of %r: %s", publisher, reason)
        self._send([publisher, REFUSED, seq, reason.encode()])

    def _send(self, frames: list[bytes]) -> None:
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            logger.debug("%r did not get its answer: %s", frames[0], error)


def _intake(frames: "Sequence[zmq.Frame]") -> Intake:
    """Return the batch of a message. Raise ValueError for what is none."""
    if len(frames) < 4 or frames[1].bytes != BATCH:
        raise ValueError(f"expected the frames batch, seq, header, bodies; got {len(frames) - 1} frames")
    seq = int(frames[2].bytes)
    header = _decode(frames[3].buffer)
    bodies = frames[4:]
    if len(bodies) != len(header.parts):
        raise ValueError(f"the header tells of {len(header.parts)} bodies, the message has {len(bodies)}")
    if (header.ns or header.rejected) and not header.source:
        raise ValueError("$.source: expected a name, got an empty string")
    for name, pairs in (("ns", header.ns), ("rejected", header.rejected)):
        for first, last in pairs:
            if not 0 <= first <= last < 1 << 63:
                raise ValueError(f"$.{name}: expected pairs of 0 <= first <= last, got {first}, {last}")
    topics = [part.topic for part in header.parts]
    for part in header.parts:
        if not part.topic or "\0" in part.topic or part.topic == HEARTBEAT_TOPIC:
            raise ValueError(f"$.parts: expected a topic's name, got {part.topic!r}")
        if part.count < 1 or part.tuples < 0:
            raise ValueError(
                f"$.parts: expected counts of topic {part.topic}, got {part.count}, {part.tuples}"
            )
    if len(set(topics)) != len(topics):
        raise ValueError(f"$.parts: expected each topic once, got {topics}")
    size = _OVERHEAD + sum(len(frame) for frame in frames)
    return Intake(frames[0].bytes, seq, header, bodies, size)
