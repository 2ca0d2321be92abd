"""Probes a MongoDB server for everything that the suite needs, and reports what is missing.

A probe takes a few seconds, whatever state the servers are in. It writes only to the collection `check`, which it removes,
so it may run beside a working suite.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from analytics.store.probe.finding import Finding, Grade, ProbeStopped
from analytics.store.probe.reach import ask, reach
from analytics.store.probe.server import clock, feature_version, version
from analytics.store.probe.topology import topology
from analytics.store.probe.writes import Scratch, durability, rights

__all__ = ["PROBE_SECONDS", "Finding", "Grade", "probe_mongodb"]

PROBE_SECONDS = 3.0
"""The time-out to open the database with: for finding a server, for connecting, and for an answer."""


def probe_mongodb(
    database: Database[dict[str, Any]], embedded: bool = False, now: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Yield findings, the most important first. An ERROR may end the list, since nothing can be probed after it.

    Args:
        database: with the write concern that the suite uses; opened with time-outs of ``PROBE_SECONDS``.
        embedded: the server is the node `store`, whose version the operator has not chosen.
        now: this machine's clock, in Unix seconds.
    """
    try:
        yield from _tried(database, embedded, now)
    except ProbeStopped as error:
        yield Finding(Grade.ERROR, str(error))
    except PyMongoError as error:
        yield Finding(Grade.ERROR, f"the probe was interrupted: {str(error)[:300]}. Run it again")


def _tried(database: Database[dict[str, Any]], embedded: bool, now: Callable[[], float]) -> Iterator[Finding]:
    client = database.client
    reach(client)
    yield from version(client, embedded)
    answer = ask(client, now)
    yield from clock(answer)
    yield from topology(client, answer.hello)
    yield from feature_version(client)
    scratch = Scratch(database)
    try:
        yield from rights(scratch)
        yield from durability(scratch)
    finally:
        left = scratch.remove()
    yield from left
