"""Journals read back: plain and gzipped, each record once, and only those that are accepted.

A journal may be gzipped or deleted at any time while it is being read.
"""

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from analytics.broker.clients import Refill
from analytics.core.intervals import Intervals, Pair
from analytics.core.journal_lines import SPOUTS, whole_lines
from analytics.core.numberset import NumberSet
from analytics.core.portions import portions
from analytics.spouts.shares import pairs

_NAME = re.compile(rf"^({'|'.join(SPOUTS)})_(\d{{12}})(?:-(\d+))?\.txt(\.gz)?$")
BLOCK = 4 << 20
PAIRS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class JournalInfo:
    """A journal. ``size``: as far as it is read, in bytes; whole where it is gzipped."""

    path: Path
    spout: str
    size: int
    written: float

    @property
    def zipped(self) -> bool:
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


class Names:
    """Which records the journals have shown, and which of them count.

    Attributes:
        seen: per source, all of them.
        unknown: those that were not accepted when they were read.
    """

    def __init__(self, refill: Refill) -> None:
        self._refill = refill
        self.seen: defaultdict[str, NumberSet] = defaultdict(NumberSet)
        self.unknown: defaultdict[str, Intervals] = defaultdict(Intervals)

    def unaccepted(self, numbers: Mapping[str, Sequence[Pair]]) -> dict[str, list[Pair]]:
        """Ask the filter which records of a block it has not accepted, given all of them by source."""
        found = {source: list(ask_unknown(self._refill, source, mine)) for source, mine in numbers.items()}
        for source, some in found.items():
            self.unknown[source].update(some)
        return found

    def pass_over(self, unused: Mapping[str, list[int]]) -> int:
        """Note lines that are here and are no records by their source's mapping as it is now; return how many."""
        for source, ns in unused.items():
            self.seen[source].update(pairs(list(set(ns))))
        return sum(map(len, unused.values()))

    def left_out(
        self, numbers: Mapping[str, Sequence[Pair]], *others: Mapping[str, Iterable[Pair]]
    ) -> dict[str, list[Pair]]:
        """Note the records of a block; return which of them do not count: those that were seen before, and ``others``."""
        found = {}
        for source, mine in numbers.items():
            out = Intervals(mine)
            for new in (new for pair in mine for new in self.seen[source].missing(*pair)):
                out.discard(*new)
            for some in others:
                out.update(some.get(source, ()))
            self.seen[source].update(mine)
            if out:
                found[source] = list(out)
        return found


def ask_unknown(refill: Refill, source: str, asked: Sequence[Pair]) -> Iterator[Pair]:
    """Yield which of a source's numbers were never accepted."""
    for some in portions(asked, PAIRS_AT_ONCE):
        yield from refill.unknown(source, some)
