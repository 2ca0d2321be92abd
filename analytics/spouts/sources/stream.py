"""Streams of lines: cut into chunks, numbered, and recognised again under another name.

A stream is named after its first line. That a file carries it is seen from checksums of short stretches
(marks) at a few places: so a log that was renamed, copied or packed keeps its records' names, and another
log that begins with the same line gets a name of its own.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol, runtime_checkable
from zlib import crc32

import msgspec
import numpy as np
from msgspec.structs import replace

from analytics.core.tuples import UNDECODABLE
from analytics.spouts.positions import Position

BLOCK = 1 << 20
LONGEST_LINE = 1 << 20
LONGEST_SNAPSHOT = 192 << 20
"""Bytes of a line in a journal that tells a day's payments: those of one answer, which may be long."""
_SNAPSHOT = b'{"id":"payment/'
WINDOW = 256
_FIRST_MARK = 64
_HEADER_LINES = 8
NUL = b"\0"
LONG_GAP = 64
"""So many NUL bytes in a row are a stretch of a file that was never written."""
_GAP = re.compile(rb"\0{%d,}|\0+(?=\{)|(?m:^)\0+" % LONG_GAP)
"""A stretch of them, or fewer where a line begins or may begin: NUL bytes inside a line stay, and make it unusable."""

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, length)``: the bytes there, fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of ``source``, the first of them number ``first``; ``position`` lies after them.

    ``part`` > 0: instead, the part of a line over 1 MiB, ``last`` its end; only then ``position`` is set. It is None, too,
    where the chunk is a line that was cut off: if the rest of it turns up, the line is read again.
    """

    source: str
    first: int
    data: bytes
    position: Position | None
    part: int = 0
    last: bool = False


Emit = Callable[[Chunk], None]
"""Takes a chunk over; blocks while the spout has enough to do."""

Begun = Callable[[str, Position], None]
"""Makes durable that a record source has begun, with marks of its first lines; blocks until it is.

Records must not leave before: after a crash another log that begins with the same line would take the name.
"""


@runtime_checkable
class Driver(Protocol):
    """What reads a stream and may be overtaken by another file that carries it, as one that replaces this one does."""

    stream: "Stream | None"

    def is_spent(self) -> bool:
        """Say whether it has read all that it carries, and its file is gone from its place."""
        ...


class Stream:
    """Turns the bytes of one stream, fed in order, into chunks of about ``lines`` lines, at most twice as many."""

    def __init__(
        self,
        source: str,
        position: Position,
        lines: int,
        tail: bytes = b"",
        begun: Begun | None = None,
        *,
        journals: bool = False,
    ) -> None:
        """Begin at ``position``.

        Args:
            tail: what lies before it, up to WINDOW bytes.
            begun: told before the first chunk leaves.
            journals: whether the stream may hold journals of payments, whose lines may be longer than others.
        """
        self.source = source
        self.position = position
        self._lines = lines
        self._usual_bytes = 0  # what that many lines took last time
        self._tail = tail
        self._begun = begun
        self._journals = journals
        self._rest = b""
        self._part = 0
        self._skipped = 0

    @property
    def offset(self) -> int:
        """Where the next byte fed belongs."""
        return self.position.offset + self._skipped + len(self._rest)

    def seen(self) -> bytes:
        """Return the last bytes before ``offset``, up to WINDOW."""
        return (self._tail + self._rest)[-WINDOW:]

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Yield what ``data`` completes; keep the line that it leaves open, as long as a line may be.

        A stretch of NUL bytes, as a loss of power or a writer with an old offset leaves it, ends a line and is no part of one.
        """
        data = self._rest + data
        self._rest = b""
        at = 0
        for gap in _GAP.finditer(data) if NUL in data else ():
            if gap.start() or not self._part:
                yield from self._text(data[at : gap.start()])
                yield from self._end_line()
                self._advance(gap[0], 0, 0, self.position.open)
                at = gap.end()
        yield from self._text(data[at:])

    def finish(self) -> Iterator[Chunk]:
        """Yield the line that is open, if nothing but a newline can belong to it still: if it is a whole record."""
        if self._rest and is_record(self._rest):
            yield from self._end_line()

    def give_up(self) -> Iterator[Chunk]:
        """Yield the line that is open, whole or not: no more of it will come this way.

        A line that was cut off keeps its number: where it turns up whole after all, that counts.
        """
        if self._part or is_record(self._rest):
            yield from self._end_line()
        elif self._rest:
            yield Chunk(self.source, self.position.n + 1, self._rest + b"\n", None)

    def _end_line(self) -> Iterator[Chunk]:
        """Yield the line that is open as it is."""
        if self._part:
            yield self._piece(b"", True, newline=False)
        elif self._rest:
            text = self._rest.rstrip(NUL)
            zeros, self._rest = self._rest[len(text) :], b""
            yield self._whole(text + b"\n", 1, missing=1)
            if zeros:
                self._advance(zeros, 0, 0, True)

    def _text(self, data: bytes) -> Iterator[Chunk]:
        """Yield the lines of what begins at the start of a line, or, where ``_part``, within one."""
        if self.position.open and not self._part and data.startswith(b"\n"):
            self._advance(b"\n", 0, 0)  # of the line before
            data = data[1:]
        at = 0
        while at < len(data):
            newline = data.find(b"\n", at)
            end = len(data) if newline < 0 else newline
            if self._part or end - at > self._longest(data, at):
                yield self._piece(data[at:end], newline >= 0)
                at = end + 1
            elif newline < 0:
                self._rest = data[at:]
                return
            else:
                after, lines = (end + 1, 1) if end - at > LONGEST_LINE else self._head(data, at)
                yield self._whole(data[at:after], lines)
                at = after

    def _longest(self, data: bytes, at: int) -> int:
        """Return how long the line at ``at`` may be."""
        return LONGEST_SNAPSHOT if self._journals and data.startswith(_SNAPSHOT, at) else LONGEST_LINE

    def _head(self, data: bytes, at: int) -> tuple[int, int]:
        """Return where the chunk at ``at`` ends and how many lines it has: whole ones, at least one."""
        most = _before_long_line(data, at) - at
        if 0 < 2 * self._usual_bytes < most:
            most = self._usual_bytes  # so that not all that is left is counted for each chunk
        while True:
            end = (data.rfind(b"\n", at, at + most) + 1) or data.find(b"\n", at) + 1
            lines = _count_lines(data, at, end)
            # As many bytes as that many lines should have: about right where lines are of one length.
            most = (end - at) * self._lines // lines
            if lines <= 2 * self._lines:
                self._usual_bytes = most
                return end, lines

    def _whole(self, data: bytes, lines: int, missing: int = 0) -> Chunk:
        before = self.position
        self._advance(data[: len(data) - missing], lines, 0, bool(missing))
        if self._begun and not before.offset:
            self._begun(self.source, replace(before, marks=self.position.marks))
        return Chunk(self.source, before.n + 1, data, self.position)

    def _piece(self, data: bytes, last: bool, newline: bool = True) -> Chunk:
        self._part += 1
        chunk = Chunk(self.source, self.position.n + 1, data, None, self._part, last)
        self._skipped += len(data)
        self._tail = (self._tail + data)[-WINDOW:]
        if last:
            skipped, self._part, self._skipped = self._skipped, 0, 0
            self._advance(b"\n" if newline else b"", 1, skipped, not newline)
            chunk = dataclasses.replace(chunk, position=self.position)
        return chunk

    def _advance(self, data: bytes, lines: int, skipped: int, open: bool = False) -> None:
        old = self.position
        offset = old.offset + skipped + len(data)
        marks = [mark for mark in old.marks if _is_kept(mark[0])]
        start = offset - len(data)
        place = max(_FIRST_MARK, 1 << start.bit_length())
        while place < offset:
            before = (self._tail + data[: place - start])[-WINDOW:] if place - start < WINDOW else b""
            marks.append((place, crc32(before or data[place - start - WINDOW : place - start])))
            place *= 2
        self._tail = (self._tail + data[-WINDOW:])[-WINDOW:]
        marks.append((offset, crc32(self._tail)))
        self.position = replace(old, n=old.n + lines, offset=offset, marks=marks, open=open)


def is_record(line: bytes) -> bool:
    """Say whether ``line`` is a whole JSON object, to which nothing but white space can be added."""
    text = line.strip(b" \t\r\0")
    if not text.startswith(b"{") or not text.endswith(b"}"):
        return False
    try:
        msgspec.json.decode(text)
    except UNDECODABLE:
        return False
    return True


def _count_lines(data: bytes, begin: int, end: int) -> int:
    """Return the newlines between two places, four times as fast as ``bytes.count``."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8, end - begin, begin) == ord("\n")))


def _before_long_line(data: bytes, at: int) -> int:
    """Return where the first line from ``at`` on begins that is over the limit, or the end of ``data``.

    Such a line covers one of the places looked at, since no two neighbours are further apart than half its length.
    """
    step = LONGEST_LINE // 2
    for place in range(at + step, len(data) - step, step):
        begin, end = (data.rfind(b"\n", at, place) + 1) or at, data.find(b"\n", place)
        if (end if end >= 0 else len(data)) - begin > LONGEST_LINE:
            return begin
    return len(data)


def _is_kept(offset: int) -> bool:
    """Marks stay at powers of two: few, and dense where a log is short."""
    return offset >= _FIRST_MARK and not offset & (offset - 1)


class Streams:
    """The streams of one configured source, by name, each with how far it was read."""

    def __init__(self, name: str, saved: dict[str, Position], lines: int, begun: Begun) -> None:
        """``saved``: accepted positions by record source; those of other configured sources are left out."""
        self._begun = begun
        self._prefix = f"gamelog/{name}@"
        self._lines = lines
        self._known: dict[str, Stream | Position] = {
            key: position for key, position in saved.items() if key.startswith(self._prefix)
        }
        self.driven: dict[str, object] = {}

    def names(self) -> list[str]:
        """Return all known streams, the one that began last first."""
        return list(reversed(self._known))

    def find(self, read_at: ReadAt, lines: list[bytes], driver: object, make: bool = True) -> Stream | None:
        """Return the stream that ``read_at`` carries, from where it was read up to.

        ``lines``: its beginning. None: the carrier holds less of a stream than was read already, or another driver reads it, or it carries
        none that is known and ``make`` is False. Looking again when it has grown is right.
        """
        fingerprint = blake2b(b"\n".join(lines), digest_size=8).hexdigest()
        number = 1
        while True:
            name = self._prefix + fingerprint + (f"-{number}" if number > 1 else "")
            known = self._known.get(name)
            if known is None:
                return self._begin(name, fingerprint, driver) if make else None
            if carries(read_at, _position(known).marks) and not self._unlike(name, read_at, driver):
                return self.resume(name, read_at, driver)
            number += 1

    def _unlike(self, name: str, read_at: ReadAt, driver: object) -> bool:
        """Say whether the file that carries ``name`` now holds other bytes where ``read_at`` ends."""
        other: ReadAt | None = getattr(self.driven.get(name), "read_at", None)
        if other is None or self.driven[name] is driver:
            return False
        start = 0
        for offset, _ in _position(self._known[name]).marks:
            if len(read_at(offset, 1)) == 1:
                start = offset
        mine = read_at(start, BLOCK)
        theirs = other(start, len(mine))
        shared = min(len(mine), len(theirs))
        return mine[:shared] != theirs[:shared]

    def resume(self, name: str, read_at: ReadAt, driver: object) -> Stream | None:
        """Return the known stream ``name`` if nobody reads it and ``read_at`` carries all that was read."""
        other = self.driven.get(name, driver)
        if other is not driver and not (isinstance(other, Driver) and other.is_spent()):
            return None
        position = _position(self._known[name])
        start = max(0, position.offset - WINDOW)
        tail = read_at(start, position.offset - start)
        if len(tail) < position.offset - start:
            return None
        if crc32(tail) != dict(position.marks).get(position.offset, crc32(tail)):
            return None
        if not position.offset:
            position = replace(position, marks=[])
        if isinstance(other, Driver) and other is not driver:
            other.stream = None
        stream = self._known[name] = Stream(name, position, self._lines, tail, self._begun)
        self.driven[name] = driver
        return stream

    def release(self, driver: object) -> None:
        """The driver has finished: its streams may be carried on by another."""
        self.driven = {name: other for name, other in self.driven.items() if other is not driver}

    def abandon(self, driver: object) -> None:
        """What the driver read is no longer there: another carrier may go on after the last whole line."""
        for name, other in self.driven.items():
            if other is driver:
                self._known[name] = _position(self._known[name])
        self.release(driver)

    def _begin(self, name: str, fingerprint: str, driver: object) -> Stream:
        stream = self._known[name] = Stream(name, Position(fingerprint), self._lines, begun=self._begun)
        self.driven[name] = driver
        return stream


def carries(read_at: ReadAt, marks: list[tuple[int, int]]) -> bool:
    """Say whether the stretches before each mark are as they were, as far as the carrier goes."""
    for offset, checksum in marks:
        start = max(0, offset - WINDOW)
        data = read_at(start, offset - start)
        if len(data) < offset - start:
            return True
        if crc32(data) != checksum:
            return False
    return True


def beginning(read_at: ReadAt, start: int = 0, *, quiet: bool = False, final: bool = False) -> list[bytes]:
    """Return the lines that a stream is named after, without their ends; none while they are not all there.

    These are the first line and, as many logs begin with the same header, those after it up to the first that may be a
    record. Of a long line the first 1 MiB count, NUL bytes before the first line do not.

    Args:
        quiet: nothing has come for a while: whole lines will do, without a record among them.
        final: no more will come: what is there is all of it.
    """
    for size in (4096, LONGEST_LINE):
        data = read_at(start, size)
        *whole, last = data.lstrip(NUL).split(b"\n")
        for count, line in enumerate(whole[:_HEADER_LINES], 1):
            if line.lstrip(b"\xef\xbb\xbf \t").startswith(b"{") or count == _HEADER_LINES:
                return whole[:count]
        if len(data) < size:
            complete = is_record(last) or (final and last.strip(NUL))
            return [*whole, *([last] if complete else [])] if quiet or final else []
    return [*whole, last]


def _position(known: Stream | Position) -> Position:
    return known.position if isinstance(known, Stream) else known
