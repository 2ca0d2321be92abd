"""Which topics have their own numbers. Op codes come from data, so their number is unbounded.

The broker, its log and each heartbeat have an entry for every topic, so the number of topics is bounded. Topics that bolts
read always have their own numbers, and so do the first ``MOST`` op codes and the first ``MOST`` other topics. Messages of all
further ones go to a shared topic, ``gamelog.~`` or ``~``; each line still has its op code.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from analytics.broker.wire import BatchHeader, Buffer, Head, Part

MOST = 1000  # of each kind; each heartbeat carries every topic
LONGEST = 200
"""Bytes. A longer topic is shared, since each heartbeat would carry its name."""
CODES = "gamelog."
_SHARED = "~"


def shared_topic(topic: str) -> str:
    """Return the shared topic for the messages of ``topic``."""
    return _family(topic) + _SHARED


class Topics:
    """The topics with their own numbers.

    Args:
        read: the topics that bolts read.
        numbered: the topics that the log has numbered already.
    """

    def __init__(self, read: Iterable[str], numbered: Iterable[str]) -> None:
        known, wanted = set(numbered), set(read)
        self._own = known | wanted
        self._left = Counter(dict.fromkeys(("", CODES), MOST))
        self._left.subtract(_family(topic) for topic in known - wanted if topic != shared_topic(topic))

    def assign(self, header: BatchHeader, bodies: Sequence[Buffer]) -> tuple[BatchHeader, Sequence[Buffer]]:
        """Return a batch with the parts of shared topics merged."""
        names = [self._name(part.topic) for part in header.parts]
        if all(name == part.topic for name, part in zip(names, header.parts, strict=True)):
            return header, bodies
        groups: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            groups.setdefault(name, []).append(at)
        parts = [
            Part(
                name,
                sum(header.parts[at].count for at in group),
                sum(header.parts[at].tuples for at in group),
            )
            for name, group in groups.items()
        ]
        joined = [
            bodies[group[0]] if len(group) == 1 else b"\n".join(bodies[at] for at in group)
            for group in groups.values()
        ]
        return msgspec.structs.replace(header, parts=parts), joined

    def _name(self, topic: str) -> str:
        if topic in self._own:
            return topic
        family = _family(topic)
        if len(topic.encode()) > LONGEST or self._left[family] <= 0:
            return family + _SHARED
        self._own.add(topic)
        self._left[family] -= 1
        return topic


def bounded(heads: Mapping[str, Head], read: Iterable[str]) -> dict[str, Head]:
    """Return ``heads`` with a bounded number of topics; the others' totals go to shared topics.

    Of topics that no bolt reads, those with the most records stay.
    """
    wanted = set(read)
    left = Counter(dict.fromkeys(("", CODES), MOST))
    kept: dict[str, Head] = {}
    rest: dict[str, list[Head]] = {}
    for topic, head in sorted(heads.items(), key=lambda pair: -pair[1].records):
        family = _family(topic)
        if topic in wanted or topic == shared_topic(topic):
            kept[topic] = head
        elif left[family] > 0 and len(topic.encode()) <= LONGEST:
            kept[topic] = head
            left[family] -= 1
        else:
            rest.setdefault(family + _SHARED, []).append(head)
    for topic, others in rest.items():
        all_of_it = [kept[topic], *others] if topic in kept else others
        kept[topic] = Head(
            *(sum(column) for column in zip(*map(msgspec.structs.astuple, all_of_it), strict=True))
        )
    return kept


def _family(topic: str) -> str:
    return CODES if topic.startswith(CODES) else ""
