"""What a publisher's message must be, to be taken as a batch. The bodies are looked at only at their ends."""

from bisect import bisect_right
from collections.abc import Sequence

import msgspec
import zmq.green as zmq

from analytics.broker.committer import Intake
from analytics.broker.wire import BATCH, HEARTBEAT_TOPIC, BatchHeader, Part, number_of
from analytics.core.intervals import Pair

_OVERHEAD = 4096
"""What a small batch costs besides its bytes, in memory and time."""
_MOST_TUPLES = 1 << 40
_TAIL_BYTES = 4096
_SHORTEST_LINE = 2
_LEAST_NAME, _MOST_NAME = 16, 255
"""Bytes. A short name could be guessed, and acknowledgements be had in its stead."""

_decode = msgspec.json.Decoder(BatchHeader).decode


def checked(frames: "Sequence[zmq.Frame]") -> Intake:
    """Return the batch of a message. Raise ValueError for what is none."""
    if len(frames) < 5 or frames[1].bytes != BATCH:
        raise ValueError(
            f"expected the frames batch, seq, publisher, header, bodies; got {len(frames) - 1} frames"
        )
    seq, publisher = int(frames[2].bytes), frames[3].bytes
    if not _LEAST_NAME <= len(publisher) <= _MOST_NAME:
        raise ValueError(f"expected a publisher of {_LEAST_NAME} to {_MOST_NAME} bytes, got {len(publisher)}")
    header = _decode(frames[4].buffer)
    bodies = frames[5:]
    if len(bodies) != len(header.parts):
        raise ValueError(f"the header tells of {len(header.parts)} bodies, the message has {len(bodies)}")
    _check_numbers(header)
    _check_parts(header, bodies)
    size = _OVERHEAD + sum(len(frame) for frame in frames)
    return Intake(frames[0].bytes, publisher, seq, header, bodies, size)


def _check_numbers(header: BatchHeader) -> None:
    """See that ``ns`` and ``rejected`` name records once each, as many as the parts have lines."""
    if (header.ns or header.rejected) and not header.source:
        raise ValueError("$.source: expected a name, got an empty string")
    for name, pairs in (("ns", header.ns), ("rejected", header.rejected)):
        before = -1
        for first, last in pairs:
            if not 0 <= first <= last < 1 << 63:
                raise ValueError(f"$.{name}: expected pairs of 0 <= first <= last, got {first}, {last}")
            if first <= before:
                raise ValueError(f"$.{name}: expected rising numbers, got {first} after {before}")
            before = last
    count = sum(part.count for part in header.parts)
    if header.ns and (named := sum(last - first + 1 for first, last in header.ns)) != count:
        raise ValueError(f"$.ns: expected {count} numbers, as the parts have lines, got {named}")


def _check_parts(header: BatchHeader, bodies: "Sequence[zmq.Frame]") -> None:
    topics = [part.topic for part in header.parts]
    if len(set(topics)) != len(topics):
        raise ValueError(f"$.parts: expected each topic once, got {topics[:100]}")
    for part, body in zip(header.parts, bodies, strict=True):
        if not part.topic or "\0" in part.topic or part.topic == HEARTBEAT_TOPIC:
            raise ValueError(f"$.parts: expected a topic's name, got {part.topic!r}")
        if part.count < 1 or not 0 <= part.tuples < _MOST_TUPLES:
            raise ValueError(
                f"$.parts: expected counts of topic {part.topic}, got {part.count}, {part.tuples}"
            )
        if part.count > len(body) // _SHORTEST_LINE:
            raise ValueError(
                f"$.parts: expected {part.count} lines of topic {part.topic}, got {len(body)} bytes"
            )
        if header.ns:
            _check_named(header, part, body.buffer)


def _check_named(header: BatchHeader, part: Part, body: memoryview) -> None:
    """See that a part counts records, and that its first and last line carry numbers of the batch."""
    if part.tuples != part.count:
        raise ValueError(
            f"$.parts: expected {part.count} tuples of topic {part.topic}, as it has lines, got {part.tuples}"
        )
    longest = len(header.source.encode()) + 64
    for line in (bytes(body[:longest]), _last_line(body)[:longest]):
        number = number_of(header.source, line)
        if not _holds(header.ns, number):
            raise ValueError(
                f"$.ns: expected number {number} of a line of topic {part.topic}, got {header.ns[:9]}"
            )


def _last_line(body: memoryview) -> bytes:
    size = _TAIL_BYTES
    while True:
        tail = bytes(body[-size:])
        begin = tail.rfind(b"\n") + 1
        if begin or size >= len(body):
            return tail[begin:]
        size *= 16


def _holds(pairs: Sequence[Pair], number: int) -> bool:
    at = bisect_right(pairs, number, key=lambda pair: pair[0]) - 1
    return at >= 0 and number <= pairs[at][1]
