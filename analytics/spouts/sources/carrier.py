"""An open log file: where it is read, what of it was written, and whether it is read to its end."""

import os
import time
from pathlib import Path

from analytics.spouts.sources.stream import BLOCK, LONG_GAP, NUL, WINDOW, Stream

ENDED_SECONDS = 5.0
"""After so long without news a whole record counts without its newline, and a stretch of zeros is not overwritten."""
Inode = tuple[int, int]
Content = tuple[int, int]
"""Size and time of the last change: an inode that a new file has taken over, or that was rewritten, has another."""


class Carrier:
    """An open file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._fd)
        self.inode: Inode = (status.st_dev, status.st_ino)
        self.gone = False  # the glob finds it no longer
        self.vanished = False  # nor has it the name of a rotated file
        self._blank = -1  # from there on the file is nothing but zeros
        self.stream: Stream | None = None
        self.changed = time.monotonic()
        self.checked = -1  # the time of its last change when it was seen to carry the stream

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes there, fewer only at the end."""
        return os.pread(self._fd, length, offset)

    def start(self) -> int:
        """Return where the file begins that is more than a hole."""
        try:
            return os.lseek(self._fd, 0, os.SEEK_DATA)
        except OSError:  # there is nothing else, or the file system can't tell
            return 0

    def written_at(self, offset: int) -> bytes:
        """Return what was written at ``offset``: not the zeros that end a file which was set to its size before.

        Zeros with something after them are the end of that only when they have stayed for a while: over a network,
        blocks come in any order.
        """
        data = self.read_at(offset, BLOCK)
        self._blank = -1
        if NUL not in data:
            return data
        text = data.rstrip(NUL)
        last = data if len(data) < BLOCK else self.read_at(max(offset, self.size() - WINDOW), WINDOW)
        if not text and not last.strip(NUL):
            self._blank = offset
        elif not text:
            text = data
        gap = text.find(NUL * LONG_GAP)
        return text if gap < 0 or self.quiet(ENDED_SECONDS) else text[:gap]

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def content(self) -> Content:
        """Return what it holds now, as :data:`Content`."""
        return content_of(os.fstat(self._fd))

    def behind(self) -> int:
        """Return how many bytes there are to read."""
        offset = self.stream.offset if self.stream else 0
        return 0 if offset == self._blank else max(0, self.size() - offset)

    def lag(self) -> int:
        """Return how many bytes there are to read, as far as is known: where it is not, the next turn says why."""
        try:
            return self.behind()
        except OSError:
            return 0

    def is_at_end(self) -> bool:
        """Say whether all is read."""
        return self.behind() == 0

    def is_done(self, content: Content) -> bool:
        """Say whether ``content`` is what was read: a file that was truncated since may be shorter, or as long again."""
        if self.stream is None:
            return not content[0]
        return self.is_at_end() and content[0] >= self.stream.offset and content[1] == self.checked

    def is_spent(self) -> bool:
        """Say whether all is read and the file is gone from its place."""
        return self.gone and self.is_at_end()

    def has_open_line(self) -> bool:
        """Say whether what was read ends within a line."""
        return self.stream is not None and self.stream.position.offset < self.stream.offset

    def quiet(self, seconds: float) -> bool:
        """Say whether nothing new came for that long."""
        return time.monotonic() - self.changed >= seconds

    def close(self) -> None:
        os.close(self._fd)


def content_of(status: os.stat_result) -> Content:
    """Return what tells one content of a file from another."""
    return status.st_size, status.st_mtime_ns
