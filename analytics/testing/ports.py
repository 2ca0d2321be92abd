"""Ports for suites that run beside others.

They lie below those that the kernel gives where a program asks for any, so no client's connection ever sits on one. Each
process has blocks of its own, and holds a block's first port as long as it lives: no two processes give the same port.
"""

import random
import socket

from analytics.errors import AnalyticsError
from analytics.system.ports import refusal

BLOCKS = range(20_000, 32_000, 100)
_held: list[socket.socket] = []
_left: list[int] = []


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface, in a row, that nobody listens on. None is given twice."""
    while True:
        while len(_left) >= count:
            row = [_left.pop(0) for _ in range(count)]
            if not any(refusal("127.0.0.1", port) for port in row):
                return row
        _take_a_block()


def _take_a_block() -> None:
    for first in random.SystemRandom().sample(BLOCKS, len(BLOCKS)):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", first))
        except OSError:
            holder.close()
            continue
        _held.append(holder)
        _left[:] = range(first + 1, first + BLOCKS.step)
        return
    raise AnalyticsError(f"no free ports between {BLOCKS.start} and {BLOCKS.stop}")
