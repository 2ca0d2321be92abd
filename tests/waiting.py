"""Waiting for what happens beside a test."""

import time
from collections.abc import Callable

import gevent

PATIENCE = 600.0
"""Seconds: a machine that others use may stand still for a while."""


def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until ``condition()`` holds; fail if it does not within that time. One that takes long to find out is asked less often."""
    with gevent.Timeout(seconds, AssertionError(f"not true within {seconds} s: {condition}")):
        began = time.monotonic()
        while not condition():
            gevent.sleep(max(0.02, 2 * (time.monotonic() - began)))
            began = time.monotonic()
