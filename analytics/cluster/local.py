"""Keys on this machine's disk, used without etcd."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from analytics.cluster.keys import Keys, clock
from analytics.errors import Unavailable
from analytics.system import files
from analytics.system.locks import FileLock, LockTaken
from analytics.system.processes import process_started

LOCK_SECONDS = 1.0  # the lock is held for microseconds, so a longer wait means a frozen process


class _StoredValue(msgspec.Struct, frozen=True):
    """A value, its expiry by :func:`analytics.cluster.keys.clock`, and the process that wrote it."""

    value: bytes
    until: float
    ttl: float
    pid: int = 0
    started: int = 0

    @property
    def alive(self) -> bool:
        """Whether it has not expired. An entry from before a restart of the machine is never alive."""
        return 0 < self.until - clock() <= self.ttl

    @property
    def held(self) -> bool:
        """Whether it is alive and its process is, too: on one machine a death is visible at once."""
        return self.alive and process_started(self.pid) == self.started


class LocalKeys(Keys):
    """Keys of one machine: a file each in ``folder``, changed under one lock.

    The kernel releases the lock of a process that dies. A process that is frozen in the microseconds in which it
    holds the lock blocks the others until it continues or is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def beat(self, key: str, value: bytes, ttl: int) -> None:
        with self._locked():
            self._write(key, value, ttl)

    def list(self, prefix: str) -> dict[str, bytes]:
        with self._locked():
            keys = [unquote(path.name) for path in self._folder.iterdir() if not path.name.startswith(".")]
            found = {key: self._read(key) for key in keys if key.startswith(prefix)}
        return {key: value for key, value in found.items() if value is not None}

    def forget(self, key: str) -> None:
        with self._locked():
            self._path(key).unlink(missing_ok=True)

    def elect(self, key: str, me: str, ttl: int) -> bool:
        with self._locked():
            entry = self._entry(key)
            if entry is not None and entry.held and entry.value != me.encode():
                return False
            self._write(key, me.encode(), ttl)
            return True

    def resign(self, key: str, me: str) -> None:
        with self._locked():
            if self._read(key) == me.encode():
                self._path(key).unlink()

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def _path(self, key: str) -> Path:
        return self._folder / quote(key, safe="")

    def _read(self, key: str) -> bytes | None:
        entry = self._entry(key)
        return entry.value if entry is not None and entry.alive else None

    def _entry(self, key: str) -> _StoredValue | None:
        try:
            return msgspec.msgpack.decode(self._path(key).read_bytes(), type=_StoredValue)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _write(self, key: str, value: bytes, ttl: int) -> None:
        entry = _StoredValue(value, clock() + ttl, ttl, os.getpid(), process_started())
        path = self._path(key)
        files.draft(path, msgspec.msgpack.encode(entry), durable=False).replace(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock. Raise Unavailable if the disk or another process prevents it."""
        try:
            with FileLock(
                self._folder / ".lock", "another process, frozen perhaps, does not release it", LOCK_SECONDS
            ):
                yield
        except (LockTaken, OSError) as error:
            raise Unavailable(f"{self._folder} can't be used: {error}") from error
