"""Takes a backup while the suite runs, or stands still."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReadPreference
from pymongo.read_concern import ReadConcern

from analytics import __version__
from analytics.backup import documents
from analytics.backup.folder import CHUNK, DATA, DATABASE, Contents, SavedFile, Summing, begin, finish
from analytics.broker.opening import RESTORING, refuse
from analytics.broker.records import SegmentHead, scan
from analytics.config import Config
from analytics.errors import AnalyticsError, Unavailable
from analytics.spouts.ends import journal_folder
from analytics.store import store_uri
from analytics.store.copying import Content
from analytics.store.mongo import translated_errors
from analytics.system.files import sync_folder
from analytics.system.locks import FileLock

QUEUE, STATE, FILTER = "queue", "state", "filter"
ELSEWHERE = {QUEUE, STATE, FILTER, "store", "run", "log"}
"""What is copied in its own way, or not at all: the database is dumped, the rest is of the nodes that run."""
MOST_TRIES = 50
STEADY_SECONDS = 0.05
DRAFTS = (".new", ".link", "-wal", "-shm", "-journal", ".lock")


def take(config: Config, folder: Path, report: Callable[[str], None]) -> Contents:
    """Back up documents and data folder into ``folder``, which is new or empty; of a host without a Queue the data folder alone.

    Where an engine counts, every host's backup has the documents.

    Args:
        report: called with what was done.

    Raises:
        AnalyticsError: the folder is not empty, another backup runs, or something can't be read.
        Unavailable: the database does not answer, or what is copied changes too fast.
    """
    data = config.data.absolute()
    if folder.absolute().is_relative_to(data):
        raise AnalyticsError(
            f"{folder} is in the data folder: name a folder elsewhere, on another disk at best"
        )
    if not (data / QUEUE).is_dir() and not (data / STATE).is_dir():
        raise AnalyticsError(
            f"{data} has neither a Queue nor the state of a spout: the suite has never run with it, so there is nothing to back up"
        )
    refuse(data, RESTORING)
    with FileLock(data / "run" / "backup.lock", "another backup runs: wait until it ends"):
        begin(folder)
        return _Backup(config, data, folder, report).take()


class _Backup:
    def __init__(self, config: Config, data: Path, folder: Path, report: Callable[[str], None]) -> None:
        self._config = config
        self._data = data
        self._folder = folder
        self._report = report
        self._files: dict[str, SavedFile] = {}
        # Documents belong to the Queue that they count: another host's backup has both.
        self._has_documents = (data / QUEUE).is_dir() or bool(config.engine.kind)
        self._segments = Segments(data / QUEUE)

    def take(self) -> Contents:
        at = time.time()
        try:
            collections = []
            if self._has_documents:
                self._copy(Path(QUEUE, "bolts.json"))
                collections = self._dump()
            self._steady_state()
            self._filter()
            self._rest()
            log = self._segments.copy(lambda name, fd: self._copy_open(Path(QUEUE, name), fd))
        finally:
            self._segments.close()
        if self._config.file.is_file():
            shutil.copyfile(self._config.file, self._folder / "analytics.toml")
        for path, text in self._config.bolt_files.items():
            (self._folder / "bolts").mkdir(exist_ok=True)
            (self._folder / "bolts" / Path(path).name).write_text(text)
        self._report(f"{len(self._files):,} files of the data folder")
        if self._config.engine.kind:
            log = log or self._config.engine.kind
            if (folder := journal_folder(self._config)) != self._data:
                self._report(f"not the journals in {folder}: save them by what the shared storage has for it")
        contents = Contents(__version__, at, log, self._files, collections)
        finish(self._folder, contents)
        return contents

    def _dump(self) -> list[Content]:
        result = []
        with (
            translated_errors("backing up"),
            MongoClient[RawBSONDocument](
                store_uri(self._config), document_class=RawBSONDocument, serverSelectionTimeoutMS=10_000
            ) as client,
        ):
            database = client.get_database(
                self._config.mongodb.database,
                read_concern=ReadConcern("majority"),
                read_preference=ReadPreference.PRIMARY,
            )
            for content, saved in documents.dump(database, self._folder / DATABASE, self._segments.hold):
                self._files[f"{DATABASE}/{content.collection}{documents.SUFFIX}"] = saved
                result.append(content)
        self._report(f"{sum(one.documents for one in result):,} documents in {len(result)} collections")
        return result

    def _steady_state(self) -> None:
        """Copy the state of spouts as it was at one moment: until nothing changes while it is copied."""
        source = self._data / STATE
        for _ in range(MOST_TRIES):
            before = _signatures(source)
            for path in before:
                self._copy(path.relative_to(self._data))
            if _signatures(source) == before:
                return
            self._segments.hold()
            time.sleep(STEADY_SECONDS)
        raise Unavailable(f"{source} changes all the time; back up again when less is going on")

    def _filter(self) -> None:
        """Copy the filter: a snapshot that is older than the tail is what a crash leaves, too; the Queue has the rest."""
        names = (path.relative_to(self._data) for path in (self._data / FILTER).glob("*"))
        for name in sorted(names, key=lambda name: (not name.name.startswith("snapshot"), name)):
            self._copy(name)

    def _rest(self) -> None:
        """Copy journals, rejected records, keys, and what else lies in the data folder."""
        for path in sorted(self._data.rglob("*")):
            name = path.relative_to(self._data)
            if name.parts[0] not in ELSEWHERE and path.is_file() and not path.is_symlink():
                self._copy(name)

    def _copy(self, name: Path) -> None:
        """Copy a file of the data folder, if it is there: a journal may be packed or deleted meanwhile."""
        path = self._data / name
        if path.suffix == ".sqlite":
            self._copy_sqlite(name)
            return
        if name.name.endswith(DRAFTS):
            return
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            self._copy_open(name, file.fileno())

    def _copy_open(self, name: Path, fd: int) -> None:
        """Copy what an open file has now."""
        target = self._target(name)
        status = os.fstat(fd)
        size, offset = status.st_size, 0
        with open(target, "wb", opener=_private) as file:
            summing = Summing(file)
            while offset < size and (chunk := os.pread(fd, min(CHUNK, size - offset), offset)):
                summing.write(chunk)
                offset += len(chunk)
                self._segments.hold()
            file.flush()
            os.fchmod(file.fileno(), status.st_mode & 0o740)
            os.fsync(file.fileno())
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        self._files[f"{DATA}/{name}"] = summing.saved()

    def _copy_sqlite(self, name: Path) -> None:
        """Copy a database of SQLite's, with what its write-ahead log has."""
        target = self._target(name)
        copy = target.with_suffix(".copy")
        with closing(sqlite3.connect(self._data / name)) as theirs, closing(sqlite3.connect(copy)) as ours:
            theirs.backup(ours)
        with copy.open("rb") as file:
            copy.unlink()
            self._copy_open(name, file.fileno())

    def _target(self, name: Path) -> Path:
        target = self._folder / DATA / name
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, mode=0o750)
            sync_folder(target.parent.parent)
        return target


class Segments:
    """Holds every segment of the Queue that there has been since it was made, as long as :meth:`hold` is called often: the broker deletes some."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        self.hold()
        self._first = max(self._held, default="")

    def hold(self) -> None:
        """Open new segments: an open file is there until it is closed, even if its name is deleted."""
        for path in sorted(self._folder.glob("*.log")):
            if path.name not in self._held:
                with suppress(
                    FileNotFoundError
                ):  # deleted since it was listed; that it is missing shows below
                    self._held[path.name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def copy(self, copy: Callable[[str, int], None]) -> str:
        """Call ``copy`` with the name and the open file of each segment, oldest first. Return the log's identity.

        Raise Unavailable if a segment was deleted before it was held.
        """
        self.hold()
        log, before = "", 0
        for name, fd in sorted(self._held.items()):
            head = _head(self._folder / name, fd)
            if log not in ("", head.log) or (name > self._first and head.previous != before):
                raise Unavailable(
                    f"{self._folder}: segments were deleted faster than they could be copied; back up again, "
                    "with a larger broker.keep_hours"
                )
            log, before = head.log, int(name.partition(".")[0])
            copy(name, fd)
        return log

    def close(self) -> None:
        for fd in self._held.values():
            os.close(fd)
        self._held = {}


def _head(path: Path, fd: int) -> SegmentHead:
    record = next(scan(fd, 0, os.fstat(fd).st_size), None)
    if record is None or not isinstance(record.header, SegmentHead):
        raise AnalyticsError(
            f"{path} does not begin with its head record: look at the broker's `status` first"
        )
    return record.header


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o640)


def _signatures(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return what tells versions of the folder's files apart. SQLite's log changes before its file does."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file() and not path.name.endswith((".new", ".link", "-shm", ".lock")):
            status = path.stat()
            found[path] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found
