"""The Receiver: accepts batches of spouts and bolts, and acknowledges each once it is durable."""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import gevent
import zmq.green as zmq

from analytics.broker.batches import checked
from analytics.broker.inbox import ReceivedBatch
from analytics.broker.limits import MOST_FRAMES, Port, is_logged
from analytics.broker.sockets import new_socket
from analytics.broker.wire import ACK, MOST_BYTES, REFUSED, Ack, encode

logger = logging.getLogger(__name__)

_HIGH_WATER_MARK = 4
"""Complete messages that may wait, each of up to ``MOST_BYTES``."""
_REMEMBERED_PUBLISHERS = 256  # whose last acknowledgements are kept for repetitions
_REMEMBERED_ACKS = 64  # of a publisher; more than its window


class Receiver:
    """A ROUTER socket. Publishers resend unacknowledged batches, so answers may be dropped and are never waited for.

    A publisher sends an unguessable name with each batch. Name and ``seq`` identify the batch, so a batch that is resent while
    the first copy waits for the disk is not accepted twice. Answers go to the connection of the batch: a client can neither
    take over another's connection nor receive its answers.
    """

    def __init__(self, put: Callable[[ReceivedBatch], bool], **options: int | bytes) -> None:
        self.socket = new_socket(
            zmq.ROUTER,
            RCVHWM=_HIGH_WATER_MARK,
            SNDHWM=4 * _REMEMBERED_ACKS,
            ROUTER_MANDATORY=1,
            MAXMSGSIZE=MOST_BYTES,
            **options,
        )
        self._put = put
        self._under_way: set[tuple[bytes, int]] = set()
        self._acks: OrderedDict[bytes, deque[Ack]] = OrderedDict()
        self.malformed = 0

    def run(self, port: Port) -> None:
        while True:
            for _ in range(16):
                self._take(port.receive(MOST_FRAMES))
            gevent.sleep(0)

    def acknowledge(self, intake: ReceivedBatch, ack: Ack) -> None:
        self._under_way.discard((intake.publisher, intake.seq))
        self._acks.setdefault(intake.publisher, deque(maxlen=_REMEMBERED_ACKS)).append(ack)
        self._acks.move_to_end(intake.publisher)
        while len(self._acks) > _REMEMBERED_PUBLISHERS:
            self._acks.popitem(last=False)
        self._send([intake.connection, ACK, encode(ack)])

    def refuse(self, intake: ReceivedBatch, reason: str) -> None:
        """Send the publisher the reason why its batch is invalid."""
        self._under_way.discard((intake.publisher, intake.seq))
        self._refuse(intake.connection, b"%d" % intake.seq, reason)

    def _take(self, frames: "Sequence[zmq.Frame]") -> None:
        connection = frames[0].bytes
        try:
            intake = checked(frames)
        except (ValueError, RecursionError) as error:
            self._refuse(connection, frames[2].bytes[:20] if len(frames) > 2 else b"", str(error))
            return
        publisher = intake.publisher
        known = next((ack for ack in self._acks.get(publisher, ()) if ack.seq == intake.seq), None)
        if known is not None:
            self._send([connection, ACK, encode(known)])
        elif (publisher, intake.seq) not in self._under_way:
            self._under_way.add((publisher, intake.seq))
            if not self._put(intake):
                self._under_way.discard((publisher, intake.seq))

    def _refuse(self, connection: bytes, seq: bytes, reason: str) -> None:
        self.malformed += 1
        if is_logged(self.malformed):
            logger.warning("refused a batch (%d times so far): %s", self.malformed, reason)
        self._send([connection, REFUSED, seq, reason.encode()])

    def _send(self, frames: list[bytes]) -> None:
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            logger.debug("%r did not get its answer: %s", frames[0], error)
