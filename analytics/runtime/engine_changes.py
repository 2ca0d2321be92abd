"""What an engine's batches have changed, for the node ``timers``: kept in the store until it has passed them.

    {"_id": "000000000017.0", "parts": 1, "changed": [["loginday", "549140c8dbdb67794fc0fa3b", [1420646400]]]}

These are written after the documents that a batch changes, and before the position says that it is committed. So a reader sees a
change at least once. Long ones are continued in ``.1``, ``.2`` and so on; a batch without changes has ``.0`` as well.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from analytics.core.portions import portions
from analytics.store import Store, Write

COLLECTION = "engine_changes"
STARTS_AT_ONCE = 100_000
"""Each takes about 12 bytes, and a document has 16 MB at most."""
Change = tuple[str, str, list[int]]
"""A bolt, an area, and the starts of the periods whose documents have changed."""


def write(store: Store, batch: int, changes: Iterable[Change]) -> None:
    """Keep what a batch has changed. May be called again for the same batch."""
    # A batch without changes has a document as well.
    parts = list(portions(changes, STARTS_AT_ONCE, lambda change: len(change[2]), STARTS_AT_ONCE)) or [[]]
    for part, some in enumerate(parts):
        document = {"parts": len(parts), "changed": some, "updated": datetime.now(UTC), "_v": 1}
        store.write(COLLECTION, [Write(_id(batch, part), document, None)])


def read(store: Store, batch: int) -> list[Change] | None:
    """Return what a committed batch has changed, None if that is not kept any more."""
    first = store.load(COLLECTION, [_id(batch, 0)]).get(_id(batch, 0))
    if first is None:
        return None
    ids = [_id(batch, part) for part in range(first["parts"])]
    found = store.load(COLLECTION, ids)
    if len(found) < len(ids):
        return None
    return [(bolt, area, starts) for id in ids for bolt, area, starts in found[id]["changed"]]


def forget(store: Store, through: int) -> None:
    """Remove what every reader has passed."""
    store.delete(COLLECTION, [id for id in store.ids(COLLECTION) if int(id.partition(".")[0]) <= through])


def _id(batch: int, part: int) -> str:
    return f"{batch:012d}.{part}"
