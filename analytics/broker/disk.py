"""Writes off the hub, in one thread, and again while the disk is full or refuses."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import gevent
from gevent.threadpool import ThreadPool

from analytics.errors import LogError

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0  # between attempts to write to a failing disk
T = TypeVar("T")


class Disk:
    """The disk of ``folder``.

    Args:
        min_free_bytes: what is left free, so that other programs and a restart find room.

    Attributes:
        blocked: why nothing can be written, "" where it can.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self.blocked = ""
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._thread = ThreadPool(1)

    def write(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, as soon as there is room and it raises no OSError.

        Raise LogError where the folder was removed.
        """

        def guarded() -> T:
            self._check_room()
            return work()

        while isinstance(result := self.try_once(guarded), OSError):
            if result.errno == errno.ENOENT:
                raise LogError(
                    f"{self._folder} was removed: restart the broker; it starts a new log"
                ) from result
            if not self.blocked:
                logger.error("nothing is acknowledged: %s", result)
            self.blocked = f"{result} ({self._folder})" if result.errno else str(result)
            gevent.sleep(_RETRY_SECONDS)
        if self.blocked:
            logger.warning("writing again; it was blocked: %s", self.blocked)
            self.blocked = ""
        return result

    def try_once(self, work: Callable[[], T]) -> T | OSError:
        """Run ``work`` once. An OSError is returned as a value, since the thread would print it."""

        def guarded() -> T | OSError:
            try:
                return work()
            except OSError as error:
                return error

        return cast(T | OSError, self._thread.spawn(guarded).get())

    def close(self) -> None:
        """Give the thread back. Call it when nobody writes any more."""
        self._thread.kill()

    def _check_room(self) -> None:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free < self._min_free_bytes:
            raise OSError(
                f"{free >> 20} MB free on the disk of {self._folder}, expected at least "
                f"{self._min_free_bytes >> 20} MB (broker.min_free_mb): free some space, work resumes automatically"
            )
