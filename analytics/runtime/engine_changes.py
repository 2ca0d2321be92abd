"""What an engine's batches have changed, for the node ``timers``: kept in the store until every reader has passed it.

    {"_id": "000000000017.0", "batch": 17, "changed": [["loginday", "549140c8dbdb67794fc0fa3b", [1420646400]]]}

A batch's documents are written after the documents that it changed, and before the position says that it is committed. So a
reader sees a change at least once. Long ones are continued in ``.1``, ``.2`` and so on.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from analytics.store import Store, Write

COLLECTION = "engine_changes"
ENTRIES_AT_ONCE = 20_000

Change = tuple[str, str, list[int]]
"""A bolt, an area, and the starts of the periods whose documents have changed."""


def write(store: Store, batch: int, changes: Iterable[Change]) -> None:
    """Keep what a batch has changed. May be called again for the same batch."""
    remaining, part = iter(changes), 0
    while some := list(islice(remaining, ENTRIES_AT_ONCE)):
        id_ = f"{batch:012d}.{part}"
        document = {"_id": id_, "batch": batch, "changed": some, "updated": datetime.now(UTC)}
        store.write(COLLECTION, [Write(id_, document, None)])
        part += 1


def read(store: Store, after: int, through: int) -> Iterator[Change]:
    """Yield what the batches after ``after`` up to ``through``, which is committed, have changed."""
    for id_ in [id_ for id_ in store.ids(COLLECTION) if after < int(id_.partition(".")[0]) <= through]:
        for document in store.load(COLLECTION, [id_]).values():
            yield from ((bolt, area, starts) for bolt, area, starts in document["changed"])


def forget(store: Store, through: int) -> None:
    """Remove what every reader has passed."""
    store.delete(COLLECTION, [id_ for id_ in store.ids(COLLECTION) if int(id_.partition(".")[0]) <= through])
