"""The refill endpoint: sends workers missed messages, stores their positions, and answers requests."""

import logging
from collections.abc import Callable

import gevent
import msgspec
import zmq.green as zmq

from analytics.broker.batches import not_too_many_pairs
from analytics.broker.limits import Port, is_logged
from analytics.broker.sockets import new_socket
from analytics.broker.wire import MOST_REQUEST_BYTES, Message, Request, encode
from analytics.errors import AnalyticsError, Refused

logger = logging.getLogger(__name__)

_HIGH_WATER_MARK = 1  # answers that wait for a slow client, each of up to 16 MB; it asks again
_MOST_REQUESTS = 16  # requests that wait

_decode = msgspec.json.Decoder(Request).decode

Answer = tuple[bytes, list[Message]]


class RefillEndpoint:
    """A ROUTER socket that answers one request after another by calling ``answer``."""

    def __init__(self, answer: Callable[[Request], Answer | None], **options: int | bytes) -> None:
        self.socket = new_socket(
            zmq.ROUTER,
            SNDHWM=_HIGH_WATER_MARK,
            RCVHWM=_MOST_REQUESTS,
            MAXMSGSIZE=MOST_REQUEST_BYTES,
            **options,
        )
        self._answer = answer
        self.malformed = 0
        self.damage = ""

    def run(self, port: Port) -> None:
        while True:
            self._serve([frame.bytes for frame in port.receive(3)])
            gevent.sleep(0)

    def _count_malformed(self, reason: str) -> None:
        self.malformed += 1
        if is_logged(self.malformed):
            logger.warning("refill: %s (%d malformed so far)", reason, self.malformed)

    def _serve(self, frames: list[bytes]) -> None:
        if len(frames) != 3:
            self._count_malformed(f"expected the frames tag, request; got {len(frames) - 1} frames")
            return
        peer, tag, text = frames
        try:
            answer = self._answer(_decode(not_too_many_pairs(text)))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            reason = f"{text[:200]!r} is no request: {error}"
            self._count_malformed(reason)
            answer = _error(reason), []
        except Refused as error:
            answer = _error(str(error)), []
        except (AnalyticsError, OSError) as error:
            logger.error("refill: %s", error)
            self.damage = str(error)
            answer = _error(str(error)), []
        if answer is None:
            return
        out: list[bytes] = [peer, tag, answer[0]]
        for message in answer[1]:
            out += [message.topic.encode(), encode(message.header), message.body]
        try:
            self.socket.send_multipart(out, zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            logger.debug("refill: %r did not get its answer: %s", peer, error)


def _error(reason: str) -> bytes:
    return msgspec.json.encode({"error": reason})
