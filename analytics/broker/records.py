"""The format of a record of the Queue on disk, and its decoding.

    | magic 4 | crc 4 | header length 4 | seq 8 | header (JSON) | body of part 0 | body of part 1 | …

The record's CRC covers length, seq and header; the header carries each body's size and CRC. So headers can
be scanned without reading bodies, and one topic's body can be read and checked alone.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from analytics.broker.checksum import crc32
from analytics.broker.wire import Head
from analytics.core.intervals import Pair

MAGIC = b"AQ1\n"
PREFIX = struct.Struct("<4sIIQ")
_COVERED = struct.Struct("<IQ")
_WINDOW = 64 << 10  # bytes that a scan reads at once


class StoredPart(msgspec.Struct, frozen=True, array_like=True):
    """One topic's share of a record. ``records`` and ``tuples`` are the topic's totals through it."""

    topic: str
    number: int
    count: int
    records: int
    tuples: int
    size: int
    crc: int


class Entry(msgspec.Struct, frozen=True, tag="batch"):
    """Header of a record with the new records of one batch."""

    source: str
    ns: list[Pair]
    rejected: list[Pair]
    at: float
    parts: list[StoredPart]


class SegmentHead(msgspec.Struct, frozen=True, tag="head"):
    """Header of a segment's first record: the log's identity and every topic's Head where the segment begins.

    ``previous`` is the first seq of the previous segment (0: none), so that a missing file is detected.
    """

    log: str
    previous: int
    heads: dict[str, Head]


@dataclass(frozen=True, slots=True)
class Record:
    """A record in a file, with the byte offsets of its start, its bodies and its end."""

    seq: int
    header: Entry | SegmentHead
    offset: int
    body: int
    end: int


class Damaged(Exception):
    """A record in a file is damaged. ``offset`` is its start."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry | SegmentHead).decode


def encode_record(seq: int, header: Entry | SegmentHead) -> bytes:
    """Return a record's bytes up to its bodies."""
    text = _encode(header)
    covered = _COVERED.pack(len(text), seq)
    crc = crc32(text, crc32(covered))
    return PREFIX.pack(MAGIC, crc, len(text), seq) + text


def scan(fd: int, offset: int, end: int) -> Iterator[Record]:
    """Yield the records between two offsets of a file by their headers. Raise Damaged at the first bad one."""
    window, base = b"", offset
    while offset < end:
        if offset + PREFIX.size > base + len(window):
            window, base = os.pread(fd, min(_WINDOW, end - offset), offset), offset
        at = offset - base
        if len(window) - at < PREFIX.size:
            raise Damaged(offset, "it ends within a record's first bytes")
        magic, crc, length, seq = PREFIX.unpack_from(window, at)
        if magic != MAGIC:
            raise Damaged(offset, f"expected a record that begins {MAGIC!r}, got {magic!r}")
        body = offset + PREFIX.size + length
        if body > end:
            raise Damaged(offset, f"the record's header should end at byte {body}, the file ends at {end}")
        if body > base + len(window):
            need = max(PREFIX.size + length, min(_WINDOW, end - offset))
            window, base, at = os.pread(fd, need, offset), offset, 0
        text = window[at + PREFIX.size : at + PREFIX.size + length]
        record = _record(text, crc, length, seq, offset)
        if record.end > end:
            raise Damaged(offset, f"the record should end at byte {record.end}, the file ends at {end}")
        yield record
        offset = record.end


def _record(text: bytes, crc: int, length: int, seq: int, offset: int) -> Record:
    if crc32(text, crc32(_COVERED.pack(length, seq))) != crc:
        raise Damaged(offset, "the checksum of the record's header does not match")
    try:
        header = _decode(text)
    except msgspec.MsgspecError as error:
        raise Damaged(offset, f"the record's header can't be read: {error}") from error
    body = offset + PREFIX.size + length
    size = sum(part.size for part in header.parts) if isinstance(header, Entry) else 0
    return Record(seq, header, offset, body, body + size)


def read_body(fd: int, record: Record, part: StoredPart, offset: int) -> bytes:
    """Return the body of ``part``, which begins at ``offset``. Raise Damaged if it is not what was written."""
    body = os.pread(fd, part.size, offset)
    if len(body) != part.size or crc32(body) != part.crc:
        raise Damaged(record.offset, f"the checksum of the body of topic {part.topic} does not match")
    return body


def placed(record: Record) -> Iterator[tuple[StoredPart, int]]:
    """Yield the parts of a record with the offset of each one's body."""
    if isinstance(record.header, Entry):
        offset = record.body
        for part in record.header.parts:
            yield part, offset
            offset += part.size
