"""Journals: durable files of lines, ``data/<prefix>_YYYYmmddHHMM.txt``, that rotate by time and size.

A writer always makes a new file and holds a lock on it, so several processes can keep journals of one prefix
in one folder, and a file that nobody has locked belongs to a writer that is gone.
"""

import fcntl
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent.lock import RLock

from analytics.appending import Appender
from analytics.config import Config
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.spouts.ends import EngineCount, journal_folder
from analytics.system.files import numbered, sync_folder
from analytics.system.locks import try_lock

_NAME = re.compile(r"_(\d{12})(?:-(\d+))?\.txt$")
_BLOCK = 1 << 20
_SPOUTS = frozenset({"gamelog", "payment", "syncuser"})
"""Their journals lie where the engine reads them, if there is one."""


@dataclass(frozen=True, slots=True)
class JournalMark:
    """A place in a journal: everything in file ``name`` before byte ``end``."""

    name: str
    end: int


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines read back from a journal, and the place after them."""

    data: bytes
    mark: JournalMark


class Journal:
    """Writes lines durably to the newest file of ``prefix``.

    ``acknowledged`` maps file names to the byte before which everything is accepted: a file is deleted after
    ``keep_days`` only where that is all of it. ``others`` returns the same of what other processes wrote to their own files of
    that prefix. Journals that nobody acknowledges pass ``acknowledged=None``. With an engine, it has to have counted the file, too.
    """

    def __init__(
        self,
        config: Config,
        prefix: str,
        acknowledged: Mapping[str, int] | None = None,
        others: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self.folder = journal_folder(config) if prefix in _SPOUTS else config.data
        self.prefix = prefix
        self._counted = (
            EngineCount(self.folder, config.data) if config.engine.kind and prefix in _SPOUTS else None
        )
        self.acknowledged: dict[str, int] = dict(acknowledged or {})
        self._needs_no_one = acknowledged is None
        self._others = others
        self._limits = config.journal
        self._zone = zone(config.timezone)
        self._lock = RLock()
        self._fd = -1
        self._appender = Appender(-1)
        self._name = ""
        self._named: set[str] = set()
        self._end = 0
        self._opened = 0.0
        if self._counted:
            if self._counted.moved:
                self._expect_all_sent(config.data)
            self._forget_gone()

    def append(self, *blocks: bytes) -> JournalMark:
        """Write ``blocks`` (whole lines, the last one's newline left out) and return when they are on the disk.

        Other greenlets run meanwhile. Raise OSError, with nothing of them left in the file, where the disk
        does not take it.
        """
        pieces = [piece for block in blocks for piece in (block, b"\n")]
        with self._lock:
            self._rotate()
            pool = gevent.get_hub().threadpool
            try:
                self._end = pool.apply(self._write, (pieces,))
            except OSError:
                os.ftruncate(self._fd, self._end)
                raise
            return JournalMark(self._name, self._end)

    def acknowledge(self, mark: JournalMark) -> None:
        """Remember that everything before ``mark`` is accepted."""
        self.acknowledged[mark.name] = max(self.acknowledged.get(mark.name, 0), mark.end)

    def unacknowledged(self) -> Iterator[Block]:
        """Yield, oldest first, what files without a writer hold beyond their acknowledged byte.

        A torn last line, which was never published, is cut off.
        """
        others = self._others()
        for path in files(self.folder, self.prefix):
            done = max(self.acknowledged.get(path.name, 0), others.get(path.name, 0))
            status = status_of(path)
            if path.name != self._name and status is not None and status.st_size > done:
                yield from _left_over(path, done)

    def accepted(self) -> Iterator[bytes]:
        """Yield, oldest first, the whole lines before each kept file's acknowledged byte, some at a time."""
        for path in files(self.folder, self.prefix):
            left, rest = self.acknowledged.get(path.name, 0), b""
            with path.open("rb") as file:
                while block := file.read(min(left, _BLOCK)):
                    left -= len(block)
                    lines, newline, rest = (rest + block).rpartition(b"\n")
                    if newline:
                        yield lines + newline

    def close(self) -> None:
        """Let go of the current file; the next append makes a new one."""
        with self._lock:
            self._appender.close()
            if self._fd >= 0:
                os.close(self._fd)
            self._fd, self._name, self._end = -1, "", 0

    def _rotate(self) -> None:
        now = time.monotonic()
        old = self._fd >= 0 and (
            now - self._opened >= self._limits.rotate_minutes * 60
            or self._end >= self._limits.rotate_mb * 1e6
            or not os.fstat(self._fd).st_nlink  # it was deleted by hand
        )
        if self._fd >= 0 and not old:
            return
        self.close()
        stem = f"{self.prefix}_{self._zone.local(int(time.time())):%Y%m%d%H%M}"
        # A name of this minute may still be acknowledged, although its file is gone.
        self._named = {name for name in self._named if name.startswith(stem)}
        known = {*self.acknowledged, *self._others(), *self._named}
        if not (
            self._counted and self._counted.moved
        ):  # shared storage that is not mounted has no folder for them
            self.folder.mkdir(parents=True, exist_ok=True)
        self._fd, self._name = _create(self.folder, stem, known)
        self._named.add(self._name)
        self._appender = Appender(self._fd)
        self._opened = now
        if self._counted:
            self._counted.read()
        self._forget_gone()
        self._delete_old()

    def _write(self, pieces: list[bytes]) -> int:
        """Write ``pieces`` durably; return the file's end after them."""
        end = self._appender.write(pieces, self._end)
        os.fdatasync(self._fd)
        return end

    def _forget_gone(self) -> None:
        """Forget what is accepted of files that are no longer there, plain or gzipped.

        Each is asked for by name: the listing of a folder may miss a file that is packed meanwhile under both names.
        """
        self.acknowledged = {
            name: end
            for name, end in self.acknowledged.items()
            # One that is gone, and that the engine still has to count, is reported on: so the driver says it.
            if is_there(self.folder / name) or (self._counted and self._counted.lacks(name, end))
        }

    def _expect_all_sent(self, data: Path) -> None:
        """Raise AnalyticsError if a journal of before the engine, in the data folder, has lines that no broker has accepted."""
        known = {**self._others(), **self.acknowledged}
        for path in files(data, self.prefix):
            if path.stat().st_size > known.get(path.name, 0):
                raise AnalyticsError(
                    f"{path} has lines that were not sent to the broker, and journals are in {self.folder} now: start this spout "
                    "once without [engine], which sends them"
                )

    def _delete_old(self) -> None:
        """Delete what is too old, measured by the newest of the other files: a clock that jumps makes none of them old."""
        if self._limits.keep_days <= 0:
            return
        found = {
            path: status
            for path in files(self.folder, self.prefix)
            if path.name != self._name and (status := status_of(path)) is not None
        }
        others = self._others()
        newest = max((status.st_mtime for status in found.values()), default=0.0)
        for path, status in found.items():
            if newest - status.st_mtime <= self._limits.keep_days * 86400 or _has_writer(path):
                continue
            if self._counted and not self._counted.includes(path.name, status.st_size):
                continue
            done = max(self.acknowledged.get(path.name, 0), others.get(path.name, 0))
            if self._needs_no_one or done >= status.st_size:
                path.unlink(missing_ok=True)
                self.acknowledged.pop(path.name, None)


def files(folder: Path, prefix: str) -> list[Path]:
    """Return the journal files of ``prefix`` in ``folder``, oldest first."""
    found = [path for path in folder.glob(f"{prefix}_*.txt") if _NAME.search(path.name)]
    return sorted(found, key=_age)


def is_there(path: Path) -> bool:
    """Return whether a journal is there, plain or gzipped."""
    # Packing makes the one before it removes the other, and so does unpacking.
    return path.exists() or path.with_name(f"{path.name}.gz").exists() or path.exists()


def status_of(path: Path) -> os.stat_result | None:
    """Return a file's facts; None where another process has deleted or packed it since it was listed."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _age(path: Path) -> tuple[str, int]:
    match = _NAME.search(path.name)
    assert match is not None
    return match[1], int(match[2] or 1)


def _create(folder: Path, stem: str, known: Collection[str]) -> tuple[int, str]:
    """Make a file whose name was never used. ``known``: names of which is remembered how much was accepted."""
    for name in (f"{one}.txt" for one in numbered(stem)):
        if name in known or (folder / f"{name}.gz").exists():
            continue  # the journal of that name was deleted or packed by hand
        try:
            fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except FileExistsError:
            continue
        fcntl.flock(fd, fcntl.LOCK_EX)  # waits for one who looks whether it has a writer
        sync_folder(folder)
        return fd, name
    raise AssertionError("names never end")


def _has_writer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return not try_lock(file.fileno())
    except FileNotFoundError:
        return False  # deleted or packed since it was listed


def _left_over(path: Path, done: int) -> Iterator[Block]:
    with path.open("r+b") as file:
        if not try_lock(file.fileno()):
            return
        os.fdatasync(file.fileno())  # a process that was killed may not have come to it
        file.seek(done)
        rest = b""
        while block := file.read(_BLOCK):
            block = rest + block
            cut = block.rfind(b"\n") + 1
            rest = block[cut:]
            if cut:
                done += cut
                yield Block(block[:cut], JournalMark(path.name, done))
        if rest:
            os.ftruncate(file.fileno(), done)
