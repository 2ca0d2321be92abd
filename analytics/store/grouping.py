"""Sums that the server makes: the stage of a pipeline, and how its results are read."""

from collections.abc import Sequence
from typing import Any

from analytics.store.store import Document


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


def count_starts() -> Document:
    """Return the stage that counts the documents with each ``ts``."""
    return {"$group": {"_id": "$ts", "count": {"$sum": 1}}}


def read(
    one: Document, keys: Sequence[str], fields: Sequence[str]
) -> tuple[tuple[Any, ...], tuple[float, ...]]:
    """Return the values of ``keys`` and the sums of ``fields`` of a document that the stage gives."""
    of = one["_id"]
    key = (of,) if len(keys) == 1 else tuple(of.get(f"k{place}") for place in range(len(keys)))
    return key, tuple(one[f"s{place}"] for place in range(len(fields)))
