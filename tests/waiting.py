"""Waiting for what happens beside a test."""

from collections.abc import Callable

import gevent

PATIENCE = 600.0
"""Seconds: a machine that others use may stand still for a while."""


def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until ``condition()`` holds; fail if it does not within that time."""
    with gevent.Timeout(seconds, AssertionError(f"not true within {seconds} s: {condition}")):
        while not condition():
            gevent.sleep(0.02)
