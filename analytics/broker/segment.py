"""One file of the Queue's log: a head record, then batches. Only the newest file of a log grows."""

import os
from bisect import bisect_right
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from analytics.appending import Appender
from analytics.broker.records import Damaged, Record, SegmentHead, encode_record, placed, read_body, scan
from analytics.broker.wire import Head
from analytics.errors import LogError
from analytics.system.files import sync_folder

_CHECKPOINT_BYTES = 4 << 20  # between entries of the index, so that a read skips at most this much
_WARM_BYTES = 8 << 20  # kept in the page cache for readers that are nearly up to date

Numbers = dict[str, int]


class LogSegment:
    """A segment file that is open for reading, and for writing while it is the newest.

    ``first`` is the seq of its first batch, ``start`` every topic's Head before that one, ``size`` its
    committed bytes: bytes beyond are not part of the log.
    """

    def __init__(self, path: Path, fd: int, first: int, head: SegmentHead, begin: int, size: int) -> None:
        self.path = path
        self.first = first
        self.log = head.log
        self.previous = head.previous
        self.start: Mapping[str, Head] = head.heads
        self.begin = begin
        self.size = size
        self._fd = fd
        self._appender = Appender(fd)
        self._cooled = 0
        self._offsets: list[int] = [begin]
        self._numbers: list[Numbers] = [{topic: value.number for topic, value in head.heads.items()}]

    @classmethod
    def create(cls, folder: Path, first: int, head: SegmentHead, sync: bool) -> "LogSegment":
        """Make a segment on disk, durably if ``sync``. Raise OSError, leaving nothing, if that fails.

        It is renamed once its head record is written, so a segment without one is damaged, not incomplete.
        """
        path = folder / f"{first:020d}.log"
        fd = os.open(path.with_suffix(".new"), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        segment = cls(path.with_suffix(".new"), fd, first, head, 0, 0)
        try:
            segment.write([encode_record(first, head)], sync)
            segment.path = segment.path.rename(path)
            if sync:
                sync_folder(folder)
        except OSError:
            segment.remove()
            raise
        segment.begin = segment.size
        segment._offsets = [segment.begin]
        return segment

    @classmethod
    def open(cls, path: Path) -> "LogSegment":
        """Open a segment on disk. Raise Damaged if its head record is damaged."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            record = next(scan(fd, 0, size), None)
            if record is None or not isinstance(record.header, SegmentHead):
                raise Damaged(0, "the segment does not begin with its head record")
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, record.seq, record.header, record.end, size)

    def narrow(self, topics: Container[str]) -> None:
        """Drop the numbers of all other topics at the segment's start from memory."""
        self.start = {topic: head for topic, head in self.start.items() if topic in topics}
        self._numbers[0] = {topic: head.number for topic, head in self.start.items()}

    @property
    def written_at(self) -> float:
        """The time of the last write to the file, in Unix seconds."""
        return os.fstat(self._fd).st_mtime

    def write(self, buffers: Sequence[bytes | memoryview], sync: bool) -> None:
        """Append, durably if ``sync``. After an OSError, the file is truncated to ``size`` and unchanged."""
        try:
            end = self._appender.write(buffers, self.size)
            if sync:
                os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        if os.fstat(self._fd).st_nlink == 0:
            raise LogError(
                f"{self.path} was removed while the broker wrote to it: nothing more is acknowledged. "
                "Restart the broker; it starts a new log"
            )
        self.size = end
        if sync and end - self._cooled > 2 * _WARM_BYTES:
            self._cool(end - _WARM_BYTES)

    def records(self, offset: int = 0) -> Iterator[Record]:
        """Yield the committed batches from ``offset`` on. Raise Damaged at a damaged one."""
        return scan(self._fd, max(offset, self.begin), self.size)

    def body(self, record: Record, topic: str) -> bytes:
        """Return the body of one topic of a record of this segment."""
        for part, offset in placed(record):
            if part.topic == topic:
                return read_body(self._fd, record, part, offset)
        raise KeyError(topic)

    def check(self, record: Record) -> None:
        """Raise Damaged if any body of ``record`` is not what was written."""
        for part, offset in placed(record):
            read_body(self._fd, record, part, offset)

    def cut(self, offset: int, sync: bool) -> None:
        os.ftruncate(self._fd, offset)
        if sync:
            os.fdatasync(self._fd)
        self.size = offset

    def mark(self, offset: int, heads: Mapping[str, Head]) -> None:
        """Index the numbers before ``offset`` every few megabytes, so that reads can start nearby."""
        if offset - self._offsets[-1] >= _CHECKPOINT_BYTES:
            self._numbers.append({topic: head.number for topic, head in heads.items()})
            self._offsets.append(offset)

    def seek(self, after: Mapping[str, int]) -> int:
        """Return an offset before which all messages are at or below ``after``."""

        def passed(numbers: Numbers) -> bool:
            return all(numbers.get(topic, 0) <= number for topic, number in after.items())

        return self._offsets[max(bisect_right(self._numbers, False, key=lambda n: not passed(n)) - 1, 0)]

    def cool(self) -> None:
        """Release what only the newest file needs, and the rest of its page cache."""
        self._appender.close()
        self._cool(self.size)

    def _cool(self, end: int) -> None:
        """Release the page cache before ``end``; slower readers read from the disk.

        Reusing memory is cheaper than new memory, which the hypervisor of a virtual machine may have to provide first.
        """
        os.posix_fadvise(self._fd, self._cooled, end - self._cooled, os.POSIX_FADV_DONTNEED)
        self._cooled = end

    def close(self) -> None:
        self._appender.close()
        os.close(self._fd)

    def remove(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)
