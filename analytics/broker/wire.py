"""The messages between spouts, broker and workers, and their frames.

    spout ── DEALER/ROUTER :5000 ──▶ Receiver      spout ◀── ack
        | "batch" | seq | publisher | BatchHeader | body of topic 0 | body of topic 1 | …
                                                                                   | "ack" | Ack |
                                                                                   | "refused" | seq | reason |

    Sender ── XPUB/SUB :5001 ──▶ subscriber
        | topic \\0 | MessageHeader | body |        | "heartbeat" \\0 | Heartbeat |

    worker ── DEALER/ROUTER :5002 ──▶ Refill       worker ◀── answer
        | tag | Request |                          | tag | Page | topic | MessageHeader | body | topic | …
                                                   | tag | any other answer, or {"error": reason} |

Headers are JSON. A body is newline-delimited JSON, one tuple a line, no newline at its end; the broker
never decodes it. ``publisher`` is 16 to 255 bytes, constant for a publisher, and partly random so that it
can't be guessed. Topics end in ``\\0`` on the Sender because subscriptions match prefixes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from analytics.core.intervals import Pair
from analytics.core.portions import portions as in_portions

BATCH = b"batch"
ACK = b"ack"
REFUSED = b"refused"
HEARTBEAT_TOPIC = "heartbeat"
MOST_BYTES = 16 << 20
"""All frames of a batch together. The broker refuses larger ones."""
MOST_HEADER_BYTES = 2 << 20  # of a batch's header
MOST_LINE_BYTES = 14 << 20
"""A longer line is not published: the header has to fit into the batch as well."""
MOST_REQUEST_BYTES = 1 << 20  # of a request to refill
PORTION_BYTES = 4 << 20
"""The approximate size up to which lines are sent together."""

Buffer = bytes | memoryview
T = TypeVar("T")


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One topic's share of a batch: ``count`` lines that account for ``tuples`` spout tuples."""

    topic: str
    count: int
    tuples: int


class BatchHeader(msgspec.Struct, frozen=True):
    """Describes a batch. ``ns`` are its record numbers in the source, over all topics.

    A batch with an empty ``ns`` (tuples of a bolt) bypasses the filter. ``rejected`` are numbers of records that the
    spout rejected: the broker counts them so that the balance adds up.
    """

    source: str
    ns: list[Pair]
    parts: list[Part]
    rejected: list[Pair] = []


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit that moves: many records of one source, acknowledged as a whole.

    Where ``header.ns`` is not empty, each line of each body begins ``{"id":"<source>:<n>",`` exactly so.
    """

    header: BatchHeader
    bodies: Sequence[bytes]


class Ack(msgspec.Struct, frozen=True):
    """Batch ``seq`` is durable. ``repeated`` records had been accepted before."""

    seq: int
    accepted: int
    repeated: int


class MessageHeader(msgspec.Struct, frozen=True):
    """Describes a published message. ``number`` counts the topic's messages in this log, from 1, no gaps.

    ``records`` and ``tuples`` are the topic's totals in this log through this message; ``at`` is when it
    became durable, in Unix seconds.
    """

    log: str
    number: int
    count: int
    records: int
    tuples: int
    source: str
    ns: list[Pair]
    at: float


@dataclass(frozen=True, slots=True)
class Message:
    """One topic's part of a batch, as stored in the Queue and published by the Sender."""

    topic: str
    header: MessageHeader
    body: bytes


class Head(msgspec.Struct, frozen=True, array_like=True):
    """A topic's newest message number, and its totals of records and tuples through it."""

    number: int
    records: int
    tuples: int


class Heartbeat(msgspec.Struct, frozen=True):
    """The newest number of each topic, soon after it changed and once a second: shows a subscriber that it lost the last messages."""

    log: str
    heads: dict[str, Head]


class Read(msgspec.Struct, frozen=True, tag="read"):
    """Asks for the messages of each topic with numbers above ``after``, in the log's order."""

    after: dict[str, int]
    max_bytes: int = 8_000_000


class Page(msgspec.Struct, frozen=True):
    """Answers Read; its messages follow as frames. ``more``: the log has further ones.

    ``oldest`` is, per asked topic, the lowest number above ``after`` that is still in the log (head + 1 if there
    is none). If it is above ``after`` + 1, messages are gone.
    """

    log: str
    heads: dict[str, Head]
    oldest: dict[str, int]
    more: bool


class Join(msgspec.Struct, frozen=True, tag="join"):
    """Requests or renews the session for ``bolts``. Answered with ``{"session": secret}``.

    While its holder renews it every few seconds, no other client gets it. ``session``: the secret of an existing one.
    """

    bolts: list[str]
    session: str = ""


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """Ends a session, so that others may have its bolts at once. Answered with ``{}``."""

    session: str


class Report(msgspec.Struct, frozen=True, tag="report"):
    """A bolt reports the numbers, per topic, up to which it is done. Answered with ``{}``.

    ``session``: the secret of the bolt's session. ``again``: it has gone back to these, since its writes were lost.
    """

    bolt: str
    log: str
    positions: dict[str, Head]
    again: bool = False
    session: str = ""


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """Asks which of ``ns`` the filter has not accepted yet. Answered with ``{"ns": […]}``."""

    source: str
    ns: list[Pair]


class State(msgspec.Struct, frozen=True, tag="state"):
    """Asks for the BrokerState."""


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """Asks for the sources after ``after``, in the order of their names. Answered with an AcceptedPage."""

    after: str = ""


class AcceptedPage(msgspec.Struct, frozen=True):
    """Some sources, each with all numbers that the filter accepted (dumps of NumberSet). Empty: there are no more."""

    sources: dict[str, bytes]


class SourceState(msgspec.Struct, frozen=True):
    """The filter's state of one configured source: distinct records accepted and rejected, and of how many streams."""

    accepted: int
    rejected: int
    streams: int


class BrokerState(msgspec.Struct, frozen=True):
    """The broker's state for ``status``. ``blocked``: why nothing is acknowledged, "" if healthy.

    ``staged``: per topic, the records that have passed the filter and are not durable yet.
    ``sources``: per configured source; ``active_streams``: so many streams are in memory.
    ``waiting``: per bolt and topic, the age in seconds of the oldest message that the bolt has not passed.
    ``refused_keys``: connections with an unknown key; ``refused_keyless``: without a key, or with another broker's.
    ``filter``: the identity of the filter's folder, "" if it could not be written.
    """

    log: str
    heads: dict[str, Head]
    sources: dict[str, SourceState]
    bolts: dict[str, dict[str, Head]]
    blocked: str
    disk_bytes: int
    free_bytes: int
    repeated: int
    waiting: dict[str, dict[str, float]] = {}
    staged: dict[str, int] = {}
    active_streams: int = 0
    refused_keys: int = 0
    refused_keyless: int = 0
    filter: str = ""


Request = Read | Join | Leave | Report | Unknown | Accepted | State

encode: Callable[[msgspec.Struct], bytes] = msgspec.json.Encoder().encode
"""Returns a header's frame."""


def subscription(topic: str) -> bytes:
    """Return the first frame of every message of ``topic``, exactly."""
    return topic.encode() + b"\0"


def tagged(source: str, numbers: Sequence[int], lines: Sequence[bytes]) -> list[bytes]:
    """Return each JSON object of ``lines`` with its ``id`` prepended.

    ``lines``: JSON objects as text that begin with ``{`` and have at least one member.
    """
    head = b'{"id":"' + source.encode() + b':%d",'
    return [head % n + line[1:] for n, line in zip(numbers, lines, strict=True)]


def portions(items: Iterable[T], most: int, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Return ``items`` in lists of at most ``most``, and about ``PORTION_BYTES``, that fit into one body."""
    return in_portions(items, most, size, PORTION_BYTES)


def number_of(source: str, line: bytes) -> int:
    """Return ``n`` of a line that :func:`tagged` wrote for ``source``. Raise ValueError otherwise."""
    head = b'{"id":"' + source.encode() + b":"
    if not line.startswith(head):
        raise ValueError(f"expected a line that begins {head!r}, got {line[:80]!r}")
    return int(line[len(head) : line.index(b'"', len(head))])


def totals(heads: Mapping[str, Head], prefix: str) -> int:
    """Return the records of all topics that are ``prefix`` or begin with ``prefix.``."""
    return sum(
        head.records for topic, head in heads.items() if topic == prefix or topic.startswith(prefix + ".")
    )
