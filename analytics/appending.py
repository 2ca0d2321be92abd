"""Appending to a file: what is small through the page cache, what is large past it.

The cache takes a page of memory for each 4 KB, and memory that was not used lately is dear: a virtual machine may have
to be given it first. So a large piece is gathered in one buffer, used again and again, and written from there straight
to the disk. Its ends, which do not fill a block, go through the cache, so that a file is never longer than what was
written to it.
"""

import errno
import os
from collections.abc import Sequence
from mmap import mmap

BLOCK = 4096
LEAST_BYTES = 64 << 10
BUFFER_BYTES = 1 << 20
MOST_PIECES = 512
"""The kernel takes 1,024 at once."""

Piece = bytes | memoryview


class Appender:
    """Writes to the file of ``fd``, which stays its owner's. One thread at a time may be in it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._direct = -1
        self._refused = False
        self._buffer: mmap | None = None

    def write(self, pieces: Sequence[Piece], offset: int) -> int:
        """Write ``pieces``, bytes each, at ``offset``, the file's end; return the end after them.

        Nothing is durable before the file is synced. On OSError the file may hold some of it.
        """
        size = sum(map(len, pieces))
        if size >= LEAST_BYTES and self._open():
            self._write_past_the_cache(pieces, offset)
        else:
            _write(self._fd, pieces, offset)
        return offset + size

    def close(self) -> None:
        """Give up what large pieces needed. The next one takes it again."""
        if self._direct >= 0:
            os.close(self._direct)
        self._direct, self._buffer = -1, None

    def _open(self) -> bool:
        """Open the file once more, for writing past the cache. Return False where there is no such thing, or no memory."""
        if self._direct < 0 and not self._refused:
            try:
                self._buffer = mmap(-1, BUFFER_BYTES)
                path, flags = f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC
                self._direct = os.open(path, flags)
            except OSError:
                self._refused, self._buffer = True, None
        return self._direct >= 0

    def _write_past_the_cache(self, pieces: Sequence[Piece], offset: int) -> None:
        """Gather ``pieces`` so that a block of the file is a block of the buffer, and write whenever that is full."""
        assert self._buffer is not None
        buffer = memoryview(self._buffer)
        begin = end = offset % BLOCK
        for piece in pieces:
            taken = 0
            while taken < len(piece):
                some = memoryview(piece)[taken : taken + BUFFER_BYTES - end]
                buffer[end : end + len(some)] = some
                taken += len(some)
                end += len(some)
                if end == BUFFER_BYTES:
                    self._put(buffer, begin, end, offset)
                    offset += end - begin
                    begin = end = 0
        self._put(buffer, begin, end, offset)

    def _put(self, buffer: memoryview, begin: int, end: int, offset: int) -> None:
        """Write what lies in ``buffer`` from ``begin`` to ``end``: whole blocks directly, the rest through the cache."""
        first = min(-(-begin // BLOCK) * BLOCK, end)
        last = max(end // BLOCK * BLOCK, first)
        _write(self._fd, [buffer[begin:first]], offset)
        self._write_blocks(buffer[first:last], offset + first - begin)
        _write(self._fd, [buffer[last:end]], offset + last - begin)

    def _write_blocks(self, blocks: memoryview, offset: int) -> None:
        written = 0
        if blocks and not self._refused:
            try:
                written = os.pwrite(self._direct, blocks, offset)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._refused = True  # its blocks are larger than ours
        _write(self._fd, [blocks[written:]], offset + written)


def _write(fd: int, pieces: Sequence[Piece], offset: int) -> None:
    """Write all of ``pieces`` through the cache."""
    waiting = [piece for piece in pieces if piece]
    while waiting:
        written = os.pwritev(fd, waiting[:MOST_PIECES], offset)
        offset += written
        done = 0
        while done < len(waiting) and written >= len(waiting[done]):
            written -= len(waiting[done])
            done += 1
        del waiting[:done]
        if waiting:
            waiting[0] = memoryview(waiting[0])[written:]
