"""Which tuples a reader of the Sender wants: those of some topics, as ``bin/analytics tail`` and the page of live events ask for them."""

import msgspec

from analytics.broker.clients import Subscriber
from analytics.broker.topics import CODES, shared_topic
from analytics.broker.wire import Message
from analytics.config import BrokerSection


class TopicSelection:
    """The tuples of topics that match one of ``patterns``: an exact topic, or a prefix with a star (``gamelog.*``).

    An op code without a topic of its own is read from the topic that it shares.
    """

    def __init__(self, *patterns: str) -> None:
        self._prefixes = tuple(one.removesuffix("*") for one in patterns if one.endswith("*"))
        self._exact = {one for one in patterns if not one.endswith("*")}
        self._codes = {one.removeprefix(CODES) for one in self._exact if one.startswith(CODES)}
        self._shared = {shared_topic(CODES)} if self._codes else set()

    def subscriber(self, broker: BrokerSection) -> Subscriber:
        """Return a subscriber to the Sender for them."""
        return Subscriber(broker, self._exact | self._shared, prefixes=self._prefixes)

    def matches(self, topic: str) -> bool:
        """Return whether messages of ``topic`` may have such tuples."""
        return topic in self._exact or topic in self._shared or topic.startswith(self._prefixes)

    def lines(self, message: Message) -> list[bytes]:
        """Return the tuples of a message that match: of a shared topic those with a selected op code."""
        lines = message.body.split(b"\n")
        if message.topic not in self._shared - self._exact or message.topic.startswith(self._prefixes):
            return lines
        return [line for line in lines if msgspec.json.decode(line)["op"]["code"] in self._codes]
