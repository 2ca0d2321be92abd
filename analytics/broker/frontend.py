"""The broker's three endpoints, Receiver, Sender and refill, and what guards them."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import zmq.green as zmq

from analytics.broker.authentication import Authenticator
from analytics.broker.endpoints import listen
from analytics.broker.inbox import ReceivedBatch
from analytics.broker.limits import Port, Watch
from analytics.broker.receiver import Receiver
from analytics.broker.refill import Answer, RefillEndpoint
from analytics.broker.sender import MOST_SUBSCRIBER_BYTES, MOST_SUBSCRIPTIONS, Sender
from analytics.broker.sockets import patience
from analytics.broker.wire import MOST_REQUEST_BYTES, Buffer, MessageHeader, Request
from analytics.config import BrokerSection


class Frontend:
    """Listens from the start; nothing is read before its :meth:`loops` run.

    Args:
        security: options of each socket.
        put: takes a batch that came in.
        answer: answers a request to refill.

    Attributes:
        bound: the section, with the real ports.
    """

    def __init__(
        self,
        section: BrokerSection,
        security: Mapping[str, Any],
        put: Callable[[ReceivedBatch], bool],
        answer: Callable[[Request], Answer | None],
    ) -> None:
        options = patience(section)
        self.authenticator = Authenticator(Path(section.keys)) if section.keys else None
        self.sender = Sender(**options)
        self.receiver = Receiver(put, **options)
        self.refill = RefillEndpoint(answer, **options)
        self.bound = msgspec.structs.replace(
            section,
            receiver_port=listen(self.receiver.socket, section, "receiver", security),
            sender_port=listen(self.sender.socket, section, "sender", security),
            refill_port=listen(self.refill.socket, section, "refill", security),
        )
        keyless = self.authenticator.note_keyless if self.authenticator is not None else lambda: None
        self._ports = [
            Port(self.receiver.socket, keyless),
            # Clients wait for each answer before the next request. An empty frame costs fifty times its size on the wire.
            Port(self.refill.socket, keyless, most_unseen=2 * MOST_REQUEST_BYTES),
            Port(self.sender.socket, keyless, MOST_SUBSCRIBER_BYTES, MOST_SUBSCRIPTIONS),
        ]
        self._watch = Watch(*self._ports)

    def loops(self) -> Iterator[Callable[[], None]]:
        """Yield what is to run for ever, each in a greenlet of its own."""
        receiver, refill, sender = self._ports
        yield partial(self.receiver.run, receiver)
        yield partial(self.refill.run, refill)
        yield partial(self.sender.follow_subscriptions, sender)
        yield from self._watch.loops()
        if self.authenticator is not None:
            yield self.authenticator.run

    @property
    def crowded(self) -> bool:
        """Whether the memory is full of what clients do not read."""
        return self._watch.crowded

    def publish(self, topic: str, header: MessageHeader, body: "zmq.Frame | Buffer") -> None:
        """Send subscribers a message. While the memory is full they read it from the log later."""
        if not self._watch.crowded:
            self.sender.publish(topic, header, body)

    def close(self) -> None:
        """Close the sockets, when no loop runs any more."""
        self._watch.close()
        for endpoint in (self.receiver, self.sender, self.refill):
            endpoint.socket.close()
        if self.authenticator is not None:
            self.authenticator.close()

    def state(self) -> dict[str, Any]:
        """Return how many messages were no use, why the log can't be read, and how many connections were ended."""
        malformed = self.receiver.malformed + self.refill.malformed
        return {"malformed": malformed, "damage": self.refill.damage, "hung_up": self._watch.hung_up}
