"""A process that is started while clients are in trouble does nothing but execute its program."""

import os
import subprocess
from pathlib import Path

import gevent

from analytics.errors import Unavailable
from analytics.store import MongoStore
from analytics.testing.ports import free_ports


def test_children_run_none_of_their_parents_greenlets(tmp_path: Path) -> None:
    """Clients that look for a server which is away hold the locks that the driver would take in the child."""
    seen = tmp_path / "pids"
    stores = [MongoStore(f"mongodb://127.0.0.1:{free_ports(1)[0]}", "t", 0.2) for _ in range(4)]

    def ask(store: MongoStore) -> None:
        while True:
            try:
                store.load("c", ["a"])
            except Unavailable:
                gevent.sleep(0.001)

    def note() -> None:
        while True:
            with seen.open("a") as file:
                file.write(f"{os.getpid()}\n")
            gevent.sleep(0.001)

    greenlets = [gevent.spawn(note), *(gevent.spawn(ask, store) for store in stores)]
    try:
        for _ in range(100):
            with gevent.Timeout(30):
                subprocess.run(["true"], check=True)
            gevent.sleep(0.005)
    finally:
        gevent.killall(greenlets)
        for store in stores:
            store.close()
    assert set(seen.read_text().split()) == {str(os.getpid())}
