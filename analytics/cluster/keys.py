"""What the cluster needs of a registry: values that vanish when nobody renews them, and one holder of a key."""

import time
from typing import Protocol


class Keys(Protocol):
    """Keys with a time to live, shared by every process that can reach them.

    Keys are paths of letters, digits and ``/:_.+-``, values are UTF-8; ``ttl`` is in seconds, at least 2. Every call raises
    :class:`analytics.errors.Unavailable` within the timeout that the keys were opened with where they can't be
    reached; what it wanted may have happened nevertheless. Greenlets may share one.
    """

    def beat(self, key: str, value: bytes, ttl: int) -> None:
        """Set ``key`` and let it live for ``ttl`` seconds from now on."""

    def list(self, prefix: str) -> dict[str, bytes]:
        """Return the keys that live and begin with ``prefix``, and their values."""

    def forget(self, key: str) -> None:
        """Remove a key that this process has set. What another one set since stays, where that can be told."""

    def elect(self, key: str, me: str, ttl: int) -> bool:
        """Take ``key`` if nobody holds it, renew it if ``me`` does; return whether ``me`` holds it now.

        It is held for at least ``ttl`` seconds from the moment of the call on. ``me`` is of this process alone.
        """

    def resign(self, key: str, me: str) -> None:
        """Give ``key`` up if ``me`` holds it."""

    def close(self) -> None:
        """Close connections. Keys live on until their time is over."""


def clock() -> float:
    """Return seconds by a clock that nobody sets and that goes on while the process or the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
