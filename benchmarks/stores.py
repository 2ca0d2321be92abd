"""The store that a run writes to: where it is, and its server where that is none of the suite's nodes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics.testing.mongod import Server

COUNTING, EMBEDDED, MONGOD = STORES = ("counting", "embedded", "mongod")


@contextmanager
def opened(store: str, folder: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield ``mongodb.uri`` for a suite, "" for its node ``store``, and the pids of the servers beside it, by name.

    ``mongod`` is started for this, on data in ``folder``, and ended afterwards.
    """
    if store != MONGOD:
        yield "" if store == EMBEDDED else "counting:", {}
        return
    with Server(folder) as server:
        # Writes are journaled and wait for the majority; what the suite asks of a URI is left to its defaults.
        yield server.uri, {MONGOD: server.pid}
