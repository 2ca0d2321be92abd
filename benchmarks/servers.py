"""The store that a benchmark runs on: the embedded server, or a real ``mongod`` of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from analytics.runtime.suite import Suite
from analytics.testing.mongod import Server
from benchmarks import road

EMBEDDED, MONGOD = "embedded", "mongod"
NODE = "store"

option = click.option("--store", type=click.Choice([EMBEDDED, MONGOD]), default=EMBEDDED, show_default=True)
"""``--store`` of a benchmark's command."""


@contextmanager
def started(store: str, folder: Path) -> Iterator[Server | None]:
    """Run the store ``store`` on the data in ``folder``. None for the embedded one: it is a node of the suite."""
    if store == EMBEDDED:
        yield None
        return
    with Server(folder) as server:
        yield server


def nodes(server: Server | None) -> list[list[str]]:
    """Return the suite's processes that the store needs."""
    return [] if server else [[NODE]]


def section(server: Server | None) -> str:
    """Return the table ``[mongodb]`` of a configuration that uses the store."""
    return f'[mongodb]\nuri = "mongodb://{server.address}/"\n' if server else ""


def usage(server: Server | None, suite: Suite) -> road.Usage:
    """Return what the store's process has used since it began."""
    return road.usage(server.pid if server else suite.pid(NODE))
