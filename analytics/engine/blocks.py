"""Blocks: pieces of journals, each folded as a whole; which of them the next batch has, and how they are read."""

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, cast
from zlib import error as ZlibError

import msgspec

from analytics.errors import AnalyticsError, Unavailable

PIECE = 4 << 20
"""Bytes of a block in memory at once."""


LEAST_BYTES = 1 << 20
"""Of a block, if a journal has so much: less is not worth a task of its own."""

_MINUTE = re.compile(r"_(\d{12})(?:-(\d+))?\.txt$")


class JournalBlock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A piece of a journal: the lines that begin at byte ``begin`` or after it, and before ``end``.

    So the last line may end after ``end``, and ``begin`` and ``end`` need not be known to be at lines.

    Attributes:
        journal: the file's name relative to the shared folder, without ``.gz``.
        begin, end: bytes of the plain file.
    """

    journal: str
    begin: int
    end: int


class Uncountable(AnalyticsError):
    """Records wait that can't be counted as things are. The message says what to do; the driver waits for it."""


class JournalGone(Uncountable):
    """A journal that was not counted yet is missing, or can't be read any more."""


class MappingGone(Uncountable):
    """Lines that were not counted yet came in by a mapping that the configuration does not have any more."""


class HalfForgotten(Uncountable):
    """Accts are being forgotten, or that was interrupted: some places have their pseudonyms already, others do not."""

    def __init__(self) -> None:
        super().__init__(
            "accts are being forgotten, and batches wait until that has ended. If it was interrupted, call `bin/analytics forget` again"
        )


def next_batch(
    planned: Mapping[str, int], ends: Mapping[str, int], batch_bytes: int, block_bytes: int, tasks: int = 1
) -> list[JournalBlock]:
    """Return the blocks of the next batch, none if nothing waits.

    The oldest journal begins, and each has its turn: so a journal with much does not keep the others waiting.

    Args:
        planned: per journal, the byte before which everything is planned.
        ends: per journal, its durable end.
        batch_bytes, block_bytes: the most for all blocks, and for one. A batch has one block at least.
        tasks: how many blocks are folded at a time: few bytes are divided among so many.
    """
    waiting = {
        name: (planned.get(name, 0), end)
        for name, end in sorted(ends.items(), key=lambda one: age(one[0]))
        if end > planned.get(name, 0)
    }
    left = min(batch_bytes, sum(end - begin for begin, end in waiting.values()))
    size = min(block_bytes, max(LEAST_BYTES, -(-left // tasks)))
    blocks: list[JournalBlock] = []
    while waiting:
        for name, (begin, end) in list(waiting.items()):
            if left <= 0 and blocks:
                return blocks
            until = min(end, begin + size)
            blocks.append(JournalBlock(name, begin, until))
            left -= until - begin
            if until < end:
                waiting[name] = until, end
            else:
                del waiting[name]
    return blocks


def age(journal: str) -> tuple[str, int, str]:
    """Return what sorts journals: the older one first."""
    match = _MINUTE.search(journal)
    return (match[1], int(match[2] or 1), journal) if match else ("", 0, journal)


def read(shared: Path, block: JournalBlock) -> Iterator[bytes]:
    """Yield a block's whole lines, some at a time. A journal that was gzipped since it was planned is read so.

    Raises:
        JournalGone: it is in the shared folder neither plain nor gzipped, or damaged.
        Unavailable: the shared folder can't be read, or does not show all of the block yet.
    """
    try:
        with _opened(shared, block) as file:
            yield from _pieces(file, block)
    except (EOFError, gzip.BadGzipFile, ZlibError) as error:
        raise JournalGone(f"{shared / block.journal}.gz is damaged: {error}. {_ADVICE}") from error
    except OSError as error:
        raise Unavailable(f"the shared folder {shared} can't be read: {error}") from error


_ADVICE = "Its records are not counted yet: restore it, and the engine goes on"


def _opened(shared: Path, block: JournalBlock) -> IO[bytes]:
    path = shared / block.journal
    zipped = path.with_name(path.name + ".gz")
    # Unpacking makes the plain file before it removes the other, and packing the other way round.
    for one, opened in ((path, open), (zipped, gzip.open), (path, open)):
        try:
            return cast(IO[bytes], opened(one, "rb"))
        except FileNotFoundError:
            continue
    if not any(shared.iterdir()):  # a mount point without its file system is empty
        raise FileNotFoundError(f"{path} is missing, as all else there")
    raise JournalGone(f"{path} is missing, and so is {zipped.name}. {_ADVICE}")


def _pieces(file: IO[bytes], block: JournalBlock) -> Iterator[bytes]:
    at = max(0, block.begin - 1)
    file.seek(at)
    if block.begin:
        # A line that begins before the block belongs to the one before.
        skipped = file.readline()
        if not skipped.endswith(b"\n"):
            raise _unseen(block, at + len(skipped))
        at += len(skipped)
    while at < block.end:
        piece = file.read(min(PIECE, block.end - at))
        if not piece.endswith(b"\n"):
            piece += file.readline()
        if not piece.endswith(b"\n"):
            raise _unseen(block, at + len(piece))
        at += len(piece)
        yield piece


def _unseen(block: JournalBlock, end: int) -> Unavailable:
    return Unavailable(
        f"{block.journal} ends at byte {end}, expected lines up to {block.end}, as its spout reported"
    )
