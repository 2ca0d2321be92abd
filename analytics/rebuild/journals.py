"""Journals read back: plain and gzipped, each record once, and only those that are accepted.

A journal may be gzipped or deleted at any time while it is being read.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, cast

import msgspec

from analytics.broker.clients import Refill
from analytics.core.intervals import Intervals, Pair
from analytics.core.journal_lines import SPOUTS, Line, whole_lines
from analytics.core.numberset import NumberSet
from analytics.core.tuples import UNDECODABLE
from analytics.spouts.shares import pairs

_NAME = re.compile(rf"^({'|'.join(SPOUTS)})_(\d{{12}})(?:-(\d+))?\.txt(\.gz)?$")
_SOURCE = re.compile(rf"^({'|'.join(SPOUTS)})/.")
BLOCK = 4 << 20
PAIRS_AT_ONCE = 10_000


_decoder = msgspec.json.Decoder(Line)


@dataclass(frozen=True, slots=True)
class JournalInfo:
    """A journal. ``size``: as far as it is read, in bytes; whole where it is gzipped."""

    path: Path
    spout: str
    size: int
    written: float

    @property
    def zipped(self) -> bool:
        """Whether it is gzipped."""
        return self.path.suffix == ".gz"


def journals(folder: Path) -> list[JournalInfo]:
    """Return the journals of all spouts as they are now, oldest first.

    One that is being gzipped is there twice: what both hold counts once.
    """
    found = []
    for path in folder.iterdir():
        match = _NAME.match(path.name)
        if match is None:
            continue
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        one = JournalInfo(path, match[1], status.st_size, status.st_mtime)
        found.append(((match[2], int(match[3] or 1), path.name), one))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def blocks(file: JournalInfo) -> Iterator[bytes]:
    """Yield what a journal holds in blocks of whole lines; a torn last line, which was never published, is left out.

    Raise FileNotFoundError where it is gone, DamagedJournal where it ends too early, unless it is still being gzipped.
    """
    with _opened(file) as (stream, left):
        rest = b""
        while left:
            try:
                data = stream.read(min(BLOCK, left))
            except (EOFError, OSError, zlib.error) as error:
                if file.zipped and file.path.with_suffix("").exists():
                    return
                raise DamagedJournal(f"{file.path.name}: {error}") from error
            if not data:
                return
            left -= len(data)
            block, rest = whole_lines(rest, data)
            if block:
                yield block


class DamagedJournal(Exception):
    """A gzipped journal can't be read to its end."""


@contextmanager
def _opened(file: JournalInfo) -> Iterator[tuple[IO[bytes], int]]:
    """Open a journal; return it and how many bytes to read. One that was gzipped since it was listed is found so."""
    zipped = file.path if file.zipped else file.path.with_name(file.path.name + ".gz")
    left = 1 << 62 if file.zipped else file.size
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(file.path.open("rb"))
            packed = file.zipped
        except FileNotFoundError:
            raw = stack.enter_context(zipped.open("rb"))
            packed = True
        stream: IO[bytes] = raw
        if packed:
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb"))
        yield stream, left


@dataclass(slots=True)
class JournalLines:
    """Lines of a block: of each, the source, its number there, what was decoded, and the text. ``unreadable``: how many are no records."""

    sources: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    unreadable: int = 0


def read(block: bytes) -> JournalLines:
    """Return a block's lines."""
    texts = [text[:-1] for text in BytesIO(block).readlines()]
    try:
        lines = _decoder.decode_lines(block)
        if len(lines) == len(texts):
            return _named(lines, texts)
    except UNDECODABLE:
        pass
    lines, good, unreadable = [], [], 0
    for text in texts:
        try:
            lines.append(_decoder.decode(text))
            good.append(text)
        except UNDECODABLE:
            unreadable += bool(text.strip())
    result = _named(lines, good)
    result.unreadable += unreadable
    return result


def _named(lines: list[Line], texts: list[bytes]) -> JournalLines:
    names = [line.id.rpartition(":") for line in lines]
    sources = [source for source, _, _ in names]
    known = {source: _SOURCE.match(source) is not None for source in set(sources)}
    if all(known.values()) and all(n.isdecimal() for _, _, n in names):
        return JournalLines(sources, [int(n) for _, _, n in names], lines, texts)
    result = JournalLines()
    for (source, _, n), line, text in zip(names, lines, texts, strict=True):
        if known[source] and n.isdecimal():
            result.sources.append(source)
            result.numbers.append(int(n))
            result.lines.append(line)
            result.texts.append(text)
        else:
            result.unreadable += 1
    return result


def topic_of(source: str, line: Line) -> str:
    """Return the topic on which a record counts."""
    spout = source.partition("/")[0]
    return spout if spout != "gamelog" else f"gamelog.{line.op.code if line.op else ''}"


class Names:
    """Which records the journals have shown, and which of them count.

    Attributes:
        seen: per source, all of them.
        unknown: those that were not accepted when they were read.
    """

    def __init__(self, refill: Refill) -> None:
        self._refill = refill
        self.seen: dict[str, NumberSet] = {}
        self.unknown: dict[str, Intervals] = {}

    def unaccepted(self, read: JournalLines) -> dict[str, Intervals]:
        """Ask the filter which records of a block it has not accepted."""
        result = {}
        for source, ns in by_source(read).items():
            asked = pairs(list(set(ns)))
            result[source] = Intervals(ask_unknown(self._refill, source, asked))
            if result[source]:
                self.unknown.setdefault(source, Intervals()).update(result[source])
        return result

    def pass_over(self, unused: Mapping[str, list[int]]) -> int:
        """Note lines that are here and are no records by their source's mapping as it is now; return how many."""
        for source, ns in unused.items():
            self.seen.setdefault(source, NumberSet()).update(pairs(list(set(ns))))
        return sum(map(len, unused.values()))

    def first(
        self, read: JournalLines, unaccepted: Mapping[str, Intervals], after_the_cut: Mapping[str, Intervals]
    ) -> Iterator[int]:
        """Yield the places of those lines that count: each record once, where it comes first."""
        for source, ns in by_source(read).items():
            seen = self.seen.setdefault(source, NumberSet())
            left_out = [unaccepted[source], after_the_cut.get(source, Intervals())]
            mine = pairs(list(set(ns)))
            fresh = Intervals(one for first, last in mine for one in seen.missing(first, last))
            seen.update(mine)
            for numbers in left_out:
                for first, last in numbers:
                    fresh.discard(first, last)
            if list(fresh) == mine and sum(last - first + 1 for first, last in mine) == len(ns):
                yield from (place for place, one in enumerate(read.sources) if one == source)
                continue
            for place, one in enumerate(read.sources):
                if one == source and (n := read.numbers[place]) in fresh:
                    fresh.discard(n, n)
                    yield place


def ask_unknown(refill: Refill, source: str, asked: list[Pair]) -> Iterator[Pair]:
    """Yield which of a source's numbers were never accepted."""
    for begin in range(0, len(asked), PAIRS_AT_ONCE):
        yield from refill.unknown(source, asked[begin : begin + PAIRS_AT_ONCE])


def by_source(read: JournalLines) -> dict[str, list[int]]:
    """Return the numbers of lines, by source."""
    sources = set(read.sources)
    if len(sources) == 1:
        return {sources.pop(): read.numbers}
    result: dict[str, list[int]] = {source: [] for source in sources}
    for source, n in zip(read.sources, read.numbers, strict=True):
        result[source].append(n)
    return result
