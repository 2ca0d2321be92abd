"""What the tests of the cluster share."""

import secrets
import time
from collections.abc import Callable
from typing import Any

import gevent

from analytics.config import EtcdSection

PATIENCE = 60.0


def section(addresses: list[str], **changes: Any) -> EtcdSection:
    """Return a section for an etcd, with a prefix of its own and short times."""
    facts: dict[str, Any] = {
        "endpoints": addresses,
        "prefix": f"test{secrets.token_hex(4)}",
        "timeout_seconds": 2.0,
        "ttl_seconds": 3,
        "beat_seconds": 0.5,
        "poll_seconds": 0.2,
    }
    return EtcdSection(**(facts | changes))


def eventually(is_so: Callable[[], object], what: str = "") -> None:
    """Return once something is so; fail if it does not become so in a minute."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, what or "it did not come to be"
        gevent.sleep(0.05)
