"""Sums that the server makes: the stage of a pipeline, and how its results are read."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from analytics.core.tuples import EARLIEST_START
from analytics.store.store import Document

DAY_SECONDS = 86_400


def group(keys: Sequence[str], fields: Sequence[str]) -> Document:
    """Return the stage that adds up ``fields`` for each different value of the fields ``keys``."""
    named: Any = {f"k{place}": f"${key}" for place, key in enumerate(keys)}
    of = f"${keys[0]}" if len(keys) == 1 else named
    return {
        "$group": {"_id": of, **{f"s{place}": {"$sum": f"${field}"} for place, field in enumerate(fields)}}
    }


def highest(most: int) -> list[Document]:
    """Return the stages that keep the ``most`` keys with the highest sums of the first field; 0: none are needed."""
    return [{"$sort": {"s0": -1, "_id": 1}}, {"$limit": most}] if most else []


def in_steps(
    count: Callable[[int | None, int | None], list[tuple[Any, int]]], days_at_once: int | None
) -> Iterator[tuple[Any, int]]:
    """Yield the starts of documents, and how many there are of each.

    Args:
        count: returns those from one time until before another, in Unix seconds; None: no bound.
        days_at_once: see :class:`analytics.store.dialect.Dialect`.
    """
    if days_at_once is None:
        yield from count(None, None)
        return
    until, step = int(time.time()), DAY_SECONDS
    yield from count(until, None)  # hardly any document begins in the future
    while until > EARLIEST_START:
        since = max(until - step, EARLIEST_START)
        found = count(since, until)
        yield from found
        # Backwards: the last day of a game is known, and before its first one the steps may be long.
        until, step = since, DAY_SECONDS if found else min(2 * step, days_at_once * DAY_SECONDS)


def read(
    one: Document, keys: Sequence[str], fields: Sequence[str]
) -> tuple[tuple[Any, ...], tuple[float, ...]]:
    """Return the values of ``keys`` and the sums of ``fields`` of a document that the stage gives."""
    of = one["_id"]
    key = (of,) if len(keys) == 1 else tuple(of.get(f"k{place}") for place in range(len(keys)))
    return key, tuple(one[f"s{place}"] for place in range(len(fields)))
