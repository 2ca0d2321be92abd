"""Trying everything that the suite needs of a MongoDB, on the server itself, and saying what is missing.

A trial takes a few seconds at most, whatever the servers do. It writes to the collection `check` only, which it
removes again, so it may run beside a suite at work.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from analytics.store.trial.durability import durability
from analytics.store.trial.finding import Finding, Grade, TrialStopped
from analytics.store.trial.reach import ask, reach
from analytics.store.trial.rights import rights
from analytics.store.trial.scratch import Scratch
from analytics.store.trial.server import clock, feature_version, version
from analytics.store.trial.topology import topology

__all__ = ["TRIAL_SECONDS", "Finding", "Grade", "try_mongodb"]

TRIAL_SECONDS = 3.0
"""The time-out to open the database with: for finding a server, for connecting, and for an answer."""


def try_mongodb(
    database: Database[dict[str, Any]], embedded: bool = False, now: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Yield findings, in the order in which they matter: an ERROR may be the last one, since nothing works after it.

    Args:
        database: with the write concern that the suite uses; opened with time-outs of ``TRIAL_SECONDS``.
        embedded: the server is the suite's own node `store`, whose version the operator has not chosen.
        now: the time here, in seconds since 1970.
    """
    try:
        yield from _tried(database, embedded, now)
    except TrialStopped as error:
        yield Finding(Grade.ERROR, str(error))
    except PyMongoError as error:
        yield Finding(Grade.ERROR, f"the trial was interrupted: {str(error)[:300]}. Run it again")


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
