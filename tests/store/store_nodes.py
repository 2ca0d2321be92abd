"""The node ``store``, and waiting for it and its server."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics.config import Config
from analytics.errors import Unavailable
from analytics.store import Store, Write
from analytics.store.embedded import StoreNode


@contextmanager
def running(config: Config) -> Iterator[StoreNode]:
    """Start the node, and stop it in the end."""
    node = StoreNode(config)
    node.start()
    try:
        yield node
    finally:
        node.stop()


def step_until(node: StoreNode, reached: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until, node.state()
        node.step()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    except FileNotFoundError:
        return True


def wait_gone(pid: int) -> None:
    until = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.05)


def write_at_last(store: Store, write: Write, seconds: float = 120) -> None:
    """Write to a server that is still coming up."""
    until = time.monotonic() + seconds
    while True:
        try:
            store.write("c", [write])
            return
        except Unavailable:
            if time.monotonic() > until:
                raise
