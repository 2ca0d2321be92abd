"""Locks between processes. The kernel gives a lock back when its process ends, however that ends."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import gevent

from analytics.errors import AnalyticsError

POLL_SECONDS = 0.02


class LockTaken(AnalyticsError):
    """Another process holds the lock; the message names the process and says what to do."""


class FileLock:
    """The lock on the file ``path``, held from now on until :meth:`close` or the end of this process.

    The file stays, and holds the owner's process id for a process that is refused. On a full disk, the id is missing.

    Args:
        refusal: who else may hold the lock and what to do then, for the message.
        seconds: how long to wait for the lock, meanwhile other greenlets run.
        shared: whether others may hold it as well that share it, too. Of these the message names the one that came last.

    Raises:
        LockTaken: another process holds the lock.
        OSError: the file can't be opened, or its file system has no locks.
    """

    def __init__(self, path: Path, refusal: str, seconds: float = 0.0, shared: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            until = time.monotonic() + seconds
            while not try_lock(self._fd, shared):
                if time.monotonic() >= until:
                    owner = os.pread(self._fd, 20, 0).decode(errors="replace").strip() or "unknown"
                    raise LockTaken(f"{path}: {refusal} (held by process {owner})")
                gevent.sleep(POLL_SECONDS)
        except BaseException:
            self.close()
            raise
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock, if it is still held."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # Closing alone would leave the lock to a child that was forked meanwhile and has not run its program yet.
            with suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)


def try_lock(fd: int, shared: bool = False) -> bool:
    """Lock an open file until it is closed. Return False where another process has it; raise OSError without locks there."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
