"""The Sender: publishes every message to its subscribers. It never waits, so a slow subscriber loses some."""

import gevent
import zmq.green as zmq
from gevent.lock import Semaphore

from analytics.broker.limits import Port
from analytics.broker.sockets import new_socket
from analytics.broker.wire import HEARTBEAT_TOPIC, Buffer, Heartbeat, MessageHeader, encode, subscription

_HIGH_WATER_MARK = 16  # messages that wait for a slow subscriber
_MOST_LIVE_BYTES = 8 << 20  # longer messages are read from the log
_MOST_SUBSCRIPTION_BYTES = 300  # a topic has at most 200
MOST_SUBSCRIPTIONS = 2000
MOST_SUBSCRIBER_BYTES = 256 << 10
"""A subscriber sends only subscriptions. Each byte of them takes up to 80 bytes of memory."""


class Sender:
    """An XPUB socket. Messages beyond a subscriber's high-water mark are dropped; it refills from the log."""

    def __init__(self, **options: int | bytes) -> None:
        self.socket = new_socket(
            zmq.XPUB,
            SNDHWM=_HIGH_WATER_MARK,
            RCVHWM=_HIGH_WATER_MARK,
            MAXMSGSIZE=_MOST_SUBSCRIPTION_BYTES,
            XPUB_VERBOSER=1,
            **options,
        )
        self._turn = Semaphore(1)

    def publish(self, topic: str, header: MessageHeader, body: "zmq.Frame | Buffer") -> None:
        """Send a message to its subscribers. They read a very long one from the log, since several would fill the memory here."""
        if len(body) > _MOST_LIVE_BYTES:
            return
        with self._turn:
            self.socket.send(subscription(topic), zmq.SNDMORE)
            self.socket.send(encode(header), zmq.SNDMORE)
            self.socket.send(body, copy=False)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Send every subscriber the newest numbers."""
        with self._turn:
            self.socket.send_multipart([subscription(HEARTBEAT_TOPIC), encode(heartbeat)])

    def follow_subscriptions(self, port: Port) -> None:
        """Read subscriptions forever, so that they do not pile up."""
        while True:
            port.receive(1)
            gevent.sleep(0)
