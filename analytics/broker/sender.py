"""The Sender: publishes every message to whoever subscribes. It never waits, so a slow subscriber loses some."""

import gevent
import zmq.green as zmq
from gevent.lock import Semaphore

from analytics.broker.sockets import new_socket
from analytics.broker.wire import HEARTBEAT_TOPIC, Heartbeat, MessageHeader, encode, subscription

_HIGH_WATER_MARK = 16

Buffer = bytes | memoryview


class Sender:
    """An XPUB socket. Messages beyond a subscriber's high-water mark are dropped; it refills from the log."""

    def __init__(self, **options: int | bytes) -> None:
        self.socket = new_socket(zmq.XPUB, SNDHWM=_HIGH_WATER_MARK, XPUB_VERBOSER=1, **options)
        self._turn = Semaphore(1)

    def publish(self, topic: str, header: MessageHeader, body: "zmq.Frame | Buffer") -> None:
        """Send one message to its subscribers."""
        with self._turn:
            self.socket.send(subscription(topic), zmq.SNDMORE)
            self.socket.send(encode(header), zmq.SNDMORE)
            self.socket.send(body, copy=False)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Tell every subscriber the newest numbers."""
        with self._turn:
            self.socket.send_multipart([subscription(HEARTBEAT_TOPIC), encode(heartbeat)])

    def follow_subscriptions(self) -> None:
        """Take in who comes and goes, for ever: unread, it would pile up."""
        while True:
            self.socket.recv()
            gevent.sleep(0)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
