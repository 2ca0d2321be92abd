"""Shared keys that expire unless they are renewed, and that at most one process holds."""

import time
from typing import Protocol


class Keys(Protocol):
    """Keys with a time to live, shared by every process that can reach them.

    Keys are paths of letters, digits and ``/:_.+-``, values are UTF-8; ``ttl`` is in seconds, at least 2. If the keys
    can't be reached, every call raises :class:`analytics.errors.Unavailable` within the time-out they were opened with;
    it may have taken effect nevertheless. Greenlets may share an instance.
    """

    def beat(self, key: str, value: bytes, ttl: int) -> None:
        """Set ``key`` for ``ttl`` seconds from now."""

    def list(self, prefix: str) -> dict[str, bytes]:
        """Return the living keys that begin with ``prefix``, and their values."""

    def forget(self, key: str) -> None:
        """Remove a key that this process has set. If possible, a value that another process has set since stays."""

    def elect(self, key: str, me: str, ttl: int) -> bool:
        """Take ``key`` if it is free, renew it if ``me`` holds it; return whether ``me`` holds it now.

        It is held for at least ``ttl`` seconds from the call on. ``me`` is unique to this process.
        """

    def resign(self, key: str, me: str) -> None:
        """Give ``key`` up if ``me`` holds it."""

    def close(self) -> None:
        """Close connections. Keys live until they expire."""


def clock() -> float:
    """Return seconds of a clock that is never set and that runs on while the process or machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
