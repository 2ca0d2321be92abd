"""Streams of lines: cut into chunks and numbered.

As it is read, checksums of its first lines (its head) and of short stretches at a few places (marks) are taken. By these the
stream is recognised again, see ``sources.identity``.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zlib import crc32

import msgspec
from msgspec.structs import replace

from analytics.core.compiled import count_lines
from analytics.core.tuples import UNDECODABLE
from analytics.spouts.positions import StreamPosition

BLOCK = 1 << 20
LONGEST_LINE = 1 << 20
LONGEST_SNAPSHOT = 192 << 20
"""Bytes of a line in a journal that tells a day's payments: those of one answer, which may be long."""
_SNAPSHOT = b'{"id":"payment/'
WINDOW = 256
_FIRST_MARK = 64
HEAD = 64 << 10
_HEAD_LINES = 256
NUL = b"\0"
BLANK = b" \t\r\0"
"""What may surround a record on its line."""
LONG_GAP = 64
"""So many NUL bytes in a row are a stretch of a file that was never written."""
_GAP = re.compile(rb"\0{%d,}|\0+(?=\{)|(?m:^)\0+" % LONG_GAP)
"""A stretch of them, or fewer where a line begins or may begin: NUL bytes inside a line stay, and make it unusable."""

_END = re.compile(rb"[ \t\r]*\n")
"""What may follow a whole record on its line."""

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, length)``: the bytes there, fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of ``source``, the first of them number ``first``; ``position`` lies after them.

    ``part`` > 0: instead, the part of a line over 1 MiB, ``last`` its end; only then ``position`` is set. It is None, too,
    where the chunk is a line that was ``cut_off``: if the rest of it turns up, the line is read again. ``header`` is then what
    the position before it says.
    """

    source: str
    first: int
    data: bytes
    position: StreamPosition | None
    part: int = 0
    last: bool = False
    cut_off: bool = False
    header: str = ""


Emit = Callable[[Chunk], None]
"""Takes a chunk over; blocks while the spout has enough to do."""

Begun = Callable[[str, StreamPosition], None]
"""Makes durable how a record source begins: head and marks of what is read now; blocks until it is.

Records must not leave before: after a crash another log that begins alike would take the name.
"""


class HeadSums:
    """Checksums of a stream's first lines, two bytes each: of all that lies before the line's end, up to HEAD."""

    def __init__(self, data: bytes = b"") -> None:
        self.sums = b""
        self._size = self._sum = 0
        self.add(0, data)

    def add(self, start: int, data: bytes) -> None:
        """Take up what lies at ``start``, unless that is not what comes next."""
        if start != self._size or start >= HEAD:
            return
        data = data[: HEAD - start]
        at = 0
        while len(self.sums) < 2 * _HEAD_LINES and (end := data.find(b"\n", at) + 1):
            self._sum = crc32(data[at:end], self._sum)
            self.sums += (self._sum & 0xFFFF).to_bytes(2, "big")
            at = end
        self._sum = crc32(data[at:], self._sum)
        self._size += len(data)


class Stream:
    """Turns the bytes of one stream, fed in order, into chunks of about ``lines`` lines, at most twice as many."""

    def __init__(
        self,
        source: str,
        position: StreamPosition,
        lines: int,
        tail: bytes = b"",
        begun: Begun | None = None,
        *,
        head: "HeadSums | None" = None,
        saved: int = 0,
        journals: bool = False,
    ) -> None:
        """Begin at ``position``.

        Args:
            tail: what lies before it, up to WINDOW bytes.
            head: of what lies before it, if any of it does.
            begun: called before a chunk leaves that makes a mark within the head, beyond the first ``saved`` bytes.
            journals: whether the stream may hold journals of payments, whose lines may be longer than others.
        """
        self.source = source
        self.position = position
        self._first = head or HeadSums()
        self._saved = saved
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
            # Where a read begins within a long line, no line begins.
            if gap.start() or not self._part or len(gap[0]) >= LONG_GAP or data.startswith(b"{", gap.end()):
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
            before = self.position
            yield Chunk(
                self.source, before.n + 1, self._rest + b"\n", None, cut_off=True, header=before.header
            )

    def _end_line(self) -> Iterator[Chunk]:
        """Yield the line that is open as it is."""
        text = self._rest.rstrip(NUL)
        zeros, self._rest = self._rest[len(text) :], b""
        if self._part:
            yield self._piece(text, True, newline=False)
        elif text or zeros:
            yield self._whole(text + b"\n", 1, missing=1)
        if zeros:
            self._advance(zeros, 0, 0, True)

    def _text(self, data: bytes) -> Iterator[Chunk]:
        """Yield the lines of what begins at the start of a line, or, where ``_part``, within one."""
        if self.position.open and not self._part and (ending := _END.match(data)):
            self._advance(ending[0], 0, 0)  # of the line before
            data = data[ending.end() :]
        at = 0
        while at < len(data):
            newline = data.find(b"\n", at)
            # What follows says whether zeros at the end are part of this line, or of a stretch that ends it.
            end = len(data.rstrip(NUL)) if newline < 0 else newline
            if (self._part and (newline >= 0 or end > at)) or end - at > self._longest(data, at):
                yield self._piece(data[at:end], newline >= 0)
                at = end + (newline >= 0)
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
            lines = count_lines(data, at, end)
            # As many bytes as that many lines should have: about right where lines are of one length.
            most = (end - at) * self._lines // lines
            if lines <= 2 * self._lines:
                self._usual_bytes = most
                return end, lines

    def _whole(self, data: bytes, lines: int, missing: int = 0) -> Chunk:
        before = self.position
        self._advance(data[: len(data) - missing], lines, 0, bool(missing))
        offset = self.position.offset
        has_mark = offset >= _FIRST_MARK and self._saved.bit_length() < offset.bit_length()
        if self._begun and self._saved < HEAD and has_mark:
            self._saved = offset
            self._begun(self.source, self.position)
        return Chunk(self.source, before.n + 1, data, self.position)

    def _piece(self, data: bytes, last: bool, newline: bool = True) -> Chunk:
        self._part += 1
        chunk = Chunk(self.source, self.position.n + 1, data, None, self._part, last)
        self._first.add(self.position.offset + self._skipped, data)
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
        self._first.add(start, data)
        place = max(_FIRST_MARK, 1 << start.bit_length())
        while place < offset:
            before = (self._tail + data[: place - start])[-WINDOW:] if place - start < WINDOW else b""
            marks.append((place, crc32(before or data[place - start - WINDOW : place - start])))
            place *= 2
        self._tail = (self._tail + data[-WINDOW:])[-WINDOW:]
        marks.append((offset, crc32(self._tail)))
        self.position = replace(
            old,
            n=old.n + lines,
            offset=offset,
            marks=marks,
            open=open,
            head=max(old.head, self._first.sums, key=len),
        )


def is_record(line: bytes) -> bool:
    """Say whether ``line`` is a whole JSON object, to which nothing but white space can be added."""
    text = line.strip(BLANK)
    if not text.startswith(b"{") or not text.endswith(b"}"):
        return False
    try:
        msgspec.json.decode(text)
    except UNDECODABLE:
        return False
    return True


def _before_long_line(data: bytes, at: int) -> int:
    """Return where the first line from ``at`` on begins that exceeds the limit, or the end of ``data``.

    Such a line covers one of the places looked at, since no two neighbours are further apart than half its length.
    """
    step = LONGEST_LINE // 2
    for place in range(at + step, len(data) - step, step):
        begin, end = (data.rfind(b"\n", at, place) + 1) or at, data.find(b"\n", place)
        if (end if end >= 0 else len(data)) - begin > LONGEST_LINE:
            return begin
    return len(data)


def marks_of(data: bytes) -> list[tuple[int, int]]:
    """Return the marks of a stream's first bytes."""
    places = [_FIRST_MARK << n for n in range(40) if _FIRST_MARK << n <= len(data)]
    return [(place, crc32(data[max(0, place - WINDOW) : place])) for place in places]


def _is_kept(offset: int) -> bool:
    """Marks stay at powers of two: few, and dense where a log is short."""
    return offset >= _FIRST_MARK and not offset & (offset - 1)
