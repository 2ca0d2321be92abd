"""The filter's state on disk, apart from the Queue: a snapshot, and a tail of what came since.

The Queue is what makes a record durable, so the tail is written without syncing: after a crash of the machine
the log's records since the snapshot say the same. Were the Queue removed, the tail says it alone.
"""

import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from analytics.broker.filter import Filter, Known
from analytics.broker.segment import sync_folder
from analytics.core.intervals import Intervals, Pair
from analytics.errors import LogError


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    accepted: list[Pair]
    rejected: list[Pair]


class Snapshot(msgspec.Struct, frozen=True):
    """The filter as it was when record ``seq`` of log ``log`` had passed it."""

    log: str
    seq: int
    sources: dict[str, _Saved]


class Passed(msgspec.Struct, frozen=True, array_like=True):
    """One line of the tail: what record ``seq`` of log ``log`` added."""

    log: str
    seq: int
    source: str
    ns: list[Pair]
    rejected: list[Pair]


class FilterStore:
    """Keeps a filter in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(folder / "tail", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._size = os.fstat(self._fd).st_size
        self._log, self._seq = "", 0

    def saved(self, log: str) -> int:
        """Return the seq through which the snapshot knows ``log``."""
        return self._seq if self._log == log else 0

    def load(self, into: Filter) -> tuple[str, int]:
        """Fill the filter. Return which log's record was the newest to pass it, or ``("", 0)``."""
        path = self._folder / "snapshot.json"
        if path.exists():
            snapshot = _read_snapshot(path)
            self._log, self._seq = snapshot.log, snapshot.seq
            for source, saved in snapshot.sources.items():
                into.sources[source] = Known(Intervals(saved.accepted), Intervals(saved.rejected))
        log, seq, whole = self._log, self._seq, 0
        for passed, end in _lines(os.pread(self._fd, self._size, 0)):
            into.note(passed.source, passed.ns, passed.rejected)
            log, seq, whole = passed.log, passed.seq, end
        os.ftruncate(self._fd, whole)
        self._size = whole
        return log, seq

    def append(self, passed: Iterable[Passed]) -> None:
        """Add to the tail. On OSError it is cut back and nothing has changed."""
        data = b"".join(_line(entry) for entry in passed)
        try:
            written = os.pwrite(self._fd, data, self._size)
            while written < len(data):
                written += os.pwrite(self._fd, data[written:], self._size + written)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def save(self, log: str, seq: int, sources: bytes) -> None:
        """Replace the snapshot, durably and at once, and empty the tail.

        Args:
            sources: what :func:`encoded` made of the filter just after record ``seq``.
        """
        target, draft = self._folder / "snapshot.json", self._folder / "snapshot.new"
        head = msgspec.json.encode({"log": log, "seq": seq})
        with draft.open("wb") as file:
            file.write(head[:-1] + b',"sources":' + sources + b"}")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        sync_folder(self._folder)
        os.ftruncate(self._fd, 0)
        self._size, self._log, self._seq = 0, log, seq

    def close(self) -> None:
        """Close the tail."""
        os.close(self._fd)


def encoded(state: Filter) -> bytes:
    """Return the filter's sources as a snapshot holds them."""
    return msgspec.json.encode(
        {
            source: _Saved(list(known.accepted), list(known.rejected))
            for source, known in state.sources.items()
        }
    )


def _read_snapshot(path: Path) -> Snapshot:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Snapshot)
    except msgspec.MsgspecError as error:
        raise LogError(
            f"{path} can't be read: {error}. Without it repeated records would count again: restore it from a "
            "backup, or count everything anew from the journals as docs/operations.md, Counting anew, says"
        ) from error


def _line(entry: Passed) -> bytes:
    text = msgspec.json.encode(entry)
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _lines(data: bytes) -> Iterable[tuple[Passed, int]]:
    """Yield the tail's lines up to the first that is not whole, each with where it ends."""
    end = 0
    for line in data.split(b"\n")[:-1]:
        crc, _, text = line.partition(b" ")
        if b"%08x" % zlib.crc32(text) != crc:
            return
        end += len(line) + 1
        yield msgspec.json.decode(text, type=Passed), end
