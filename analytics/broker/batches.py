"""Validation of a publisher's batches. Only the ends of bodies are read."""

from bisect import bisect_right
from collections.abc import Sequence

import msgspec
import zmq.green as zmq

from analytics.broker.inbox import ReceivedBatch
from analytics.broker.limits import MOST_FRAMES
from analytics.broker.wire import BATCH, HEARTBEAT_TOPIC, MOST_BYTES, MOST_HEADER_BYTES, BatchHeader, Part
from analytics.core.intervals import Pair

_OVERHEAD = 4096
"""The cost of a small batch beyond its bytes, in bytes."""
_PAIR_BYTES, _PART_BYTES = 150, 600
"""What a pair and a part of the header take in memory, beside their text: some two dozen times its length."""
_MOST_NUMBERS = 1 << 24
"""More than the lines of what is sent at once, some megabytes."""
_MOST_TUPLES = 1 << 40  # keeps the sums of headers within 64 bits
_TAIL_BYTES = 1024  # read first for the last line; 16 times as many until it fits
_SHORTEST_LINE = 2  # bytes: `{}`
_LONGEST_NUMBER = 24  # characters of a number and the quote after it, and more
MOST_PAIRS = 150_000
"""Of a header or request. More would take long to read, while a hostile client fills the memory."""
_LEAST_NAME, _MOST_NAME = 16, 255
"""Bytes. A short name could be guessed, and its acknowledgements received by another client."""

_decode = msgspec.json.Decoder(BatchHeader).decode


def checked(frames: "Sequence[zmq.Frame]") -> ReceivedBatch:
    """Return the batch of a message. Raise ValueError if it is invalid."""
    if len(frames) > MOST_FRAMES or (size := _OVERHEAD + sum(map(len, frames))) > MOST_BYTES:
        raise ValueError(f"expected at most {MOST_FRAMES} frames and {MOST_BYTES >> 20} MB in all, got more")
    if len(frames) < 5 or frames[1].bytes != BATCH:
        raise ValueError(
            f"expected the frames batch, seq, publisher, header, bodies; got {len(frames) - 1} frames"
        )
    seq, publisher = int(frames[2].bytes), frames[3].bytes
    if not _LEAST_NAME <= len(publisher) <= _MOST_NAME:
        raise ValueError(f"expected a publisher of {_LEAST_NAME} to {_MOST_NAME} bytes, got {len(publisher)}")
    if len(frames[4]) > MOST_HEADER_BYTES:
        raise ValueError(f"expected a header of at most {MOST_HEADER_BYTES} bytes, got {len(frames[4])}")
    header = _decode(not_too_many_pairs(frames[4].bytes))
    bodies = frames[5:]
    if len(bodies) != len(header.parts):
        raise ValueError(f"the header names {len(header.parts)} bodies, the message has {len(bodies)}")
    _check_numbers(header)
    _check_parts(header, bodies)
    size += _PAIR_BYTES * (len(header.ns) + len(header.rejected)) + _PART_BYTES * len(bodies)
    return ReceivedBatch(frames[0].bytes, publisher, seq, header, bodies, size)


def not_too_many_pairs(text: bytes) -> bytes:
    """Return the text of a header or request. Raise ValueError if it has more lists than one may have, before it is decoded."""
    if len(text) > MOST_PAIRS and (found := text.count(b"[")) > MOST_PAIRS:
        raise ValueError(f"expected at most {MOST_PAIRS} pairs of numbers, got {found}")
    return text


def _check_numbers(header: BatchHeader) -> None:
    """Check that ``ns`` and ``rejected`` name each record once, and as many as the parts have lines."""
    if (header.ns or header.rejected) and not header.source:
        raise ValueError("$.source: expected a name, got an empty string")
    named = check_pairs("ns", header.ns)
    check_pairs("rejected", header.rejected)
    count = sum(part.count for part in header.parts)
    if header.ns and named != count:
        raise ValueError(f"$.ns: expected {count} numbers, as the parts have lines, got {named}")


def check_pairs(name: str, pairs: Sequence[Pair]) -> int:
    """Return how many numbers ``pairs`` name. Raise ValueError if they do not rise, or are more than a client may name at once."""
    before, named = -1, 0
    for first, last in pairs:
        if not 0 <= first <= last < 1 << 63:
            raise ValueError(f"$.{name}: expected pairs of 0 <= first <= last, got {first}, {last}")
        if first <= before:
            raise ValueError(f"$.{name}: expected rising numbers, got {first} after {before}")
        before = last
        named += last - first + 1
    if named > _MOST_NUMBERS:
        raise ValueError(f"$.{name}: expected at most {_MOST_NUMBERS} numbers, got {named}")
    return named


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
    """Check that a part counts records, and that its first and last line have numbers of the batch."""
    if part.tuples != part.count:
        raise ValueError(
            f"$.parts: expected {part.count} tuples of topic {part.topic}, as it has lines, got {part.tuples}"
        )
    head = b'{"id":"' + header.source.encode() + b":"
    longest = len(head) + _LONGEST_NUMBER
    for line in (bytes(body[:longest]), _last_line(body)[:longest]):
        digits, quote, _ = line.removeprefix(head).partition(b'"')
        if not line.startswith(head) or not quote or not digits.isdigit():
            raise ValueError(f"expected a line that begins {head!r} and a number, got {line[:80]!r}")
        if not _holds(header.ns, int(digits)):
            raise ValueError(
                f"$.ns: expected number {int(digits)} of a line of topic {part.topic}, got {header.ns[:9]}"
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
