"""The differences between servers that speak MongoDB's wire protocol."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

Turn = AbstractContextManager[object]


def _not_other(version: int) -> Any:
    return {"$not": {"$ne": version}}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The capabilities of a kind of server.

    Attributes:
        load_batch: ids in one query.
        turns: makes what a client holds while it sends a bulk.
        days_at_once: the most days of one query over all areas of a game, if the days after them have no documents: else it is one
            day. None: any number.
        version: how a filter states that ``_v`` is a version; None: an update may be a pipeline, which states it.
    """

    load_batch: int
    turns: Callable[[], Turn] = nullcontext
    days_at_once: int | None = None
    version: Callable[[int], Any] | None = None


MONGODB = Dialect(load_batch=1000)
"""Measured: 1,000 ids in a query take the server 3.5 to 4 µs a document, 100 take 6.5."""

SECANTUS = Dialect(load_batch=100, turns=lambda: threading.Lock(), days_at_once=64, version=_not_other)
"""secantusd is single-threaded: two parallel bulks take a fifth longer (measured), so they take turns, and a long query blocks all
others. It reads 20,000 documents a second, and all that match before it sends the first, whatever the limit; a search that finds nothing
takes 1 to 6 ms. So a day of 1,000 areas' hours takes a second, and finding that 26 years are empty takes another. An equality would make it search its indexes for ``_v``, which takes a sixth of its time."""
