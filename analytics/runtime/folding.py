"""When messages are folded: each as it comes, or several of a topic together, where that costs less."""

import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import groupby

from analytics.broker.wire import Head, Message
from analytics.core.fold import Folder, UnusableLine
from analytics.runtime.pending import Pending

SCATTERED = 0.4
"""Messages that change so many documents a tuple are folded together. Of a flood, quests change 0.5 documents a tuple: with two to
five messages at once they take 0.8 to 0.6 of the CPU. Coins change 0.1, and take as much as before."""
HELD_BYTES = 8 << 20
"""So much is held at most, of all topics: about two batches of a flood. Roles take 0.1 s a megabyte, and nothing else runs meanwhile."""
APART_SECONDS = 60.0
"""How long nothing is held after another instance got half as far: as long as it is at work, it would again."""

Held = list[tuple[Message, Head]]


class Folding:
    """Folds messages into what is pending. Those that it holds are folded when they are to be settled, at the latest.

    Documents may include any of the messages that were there when their worker began, so these are folded one by one:
    another instance may have got as far as each of them.

    Nothing here waits: what is pending never lacks a message before one that it has.

    Attributes:
        unusable: the lines that no bolt can use, each with the source of its message.
    """

    def __init__(self, folder: Folder, pending: Pending) -> None:
        self.unusable: list[tuple[str, UnusableLine]] = []
        self._folder = folder
        self._pending = pending
        self._apart_until = 0.0
        self._there: Mapping[str, Head] = {}
        self._scattered: set[str] = set()
        self._held: defaultdict[str, Held] = defaultdict(list)
        self._held_bytes = 0

    def begin(self, there: Mapping[str, Head]) -> None:
        """Start over: what was not settled will come again. ``there``: per topic, the newest message in the broker's log by now."""
        self._there = there
        self.unusable.clear()
        self._held.clear()
        self._held_bytes = 0

    def hold_nothing(self) -> None:
        """Fold each message as it comes, for a while."""
        self._apart_until = time.monotonic() + APART_SECONDS

    def take(self, message: Message, head: Head) -> None:
        """Fold a message, or hold it. ``head``: of its topic, with it."""
        topic, number = message.topic, message.header.number
        self._pending.receive(message)
        apart = topic in self._there and number <= self._there[topic].number
        self._held[topic].append((message, head))
        self._held_bytes += len(message.body)
        if apart or topic not in self._scattered or time.monotonic() < self._apart_until:
            self._fold_topic(topic)
        elif self._held_bytes >= HELD_BYTES:
            self.fold_held()

    def fold_held(self) -> None:
        """Fold all that is held."""
        for topic in list(self._held):
            self._fold_topic(topic)

    def _fold_topic(self, topic: str) -> None:
        held = self._held.pop(topic)
        self._held_bytes -= sum(len(message.body) for message, _ in held)
        for _, group in groupby(held, lambda one: sorted(self._pending.lacking(one[0]))):
            self._fold_together(list(group))

    def _fold_together(self, held: Held) -> None:
        """Fold messages that the same bolts lack."""
        first, (message, head) = held[0][0], held[-1]
        topic, lacking = message.topic, self._pending.lacking(message)
        body = b"\n".join([one.body for one, _ in held])
        folded, unusable = self._folder.fold(topic, message.header.number, body, lacking, first.header.number)
        if unusable and len(held) > 1:
            for one in held:  # each line is reported with the source of its own message
                self._fold_together([one])
            return
        self.unusable += [(message.header.source, line) for line in unusable]
        self._pending.add(topic, head, folded)
        documents = sum(map(len, folded.values()))
        if documents >= SCATTERED * len(lacking) * sum(one.header.count for one, _ in held):
            self._scattered.add(topic)
        elif len(held) == 1:
            self._scattered.discard(topic)
