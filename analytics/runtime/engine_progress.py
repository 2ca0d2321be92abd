"""How far the engine has counted, as its driver keeps it in the store: for those who wait for it or report it."""

from collections.abc import Mapping
from pathlib import PurePath

import msgspec

from analytics.store import POSITIONS, Store

ENGINE = "engine"
"""The document of the collection ``positions``, see :mod:`analytics.engine.position`."""


class EngineProgress(msgspec.Struct, frozen=True):
    """What is committed.

    Attributes:
        log: the engine's identity, which documents keep in ``_at``.
        batch: the last batch that is committed.
        ends: per journal, the byte before which everything is counted.
        records: per topic, how many records are counted.
        sources: per spout and configured source, as "gamelog/s1", how many are counted.
        repeated: how many lines named a record once more.
        at: when the last batch was committed, Unix seconds; 0 before the first one.
        held: whether batches wait for a backfill.
    """

    log: str
    batch: int
    ends: dict[str, int]
    records: dict[str, int]
    repeated: int
    at: float
    sources: dict[str, int] = {}
    held: bool = False

    @classmethod
    def load(cls, store: Store) -> "EngineProgress | None":
        """Return the saved position, None before there is one. Raise Unavailable where the store does not answer."""
        found = store.load(POSITIONS, [ENGINE]).get(ENGINE)
        if found is None:
            return None
        return cls(
            f"engine:{found['id']}",
            found["batch"],
            dict(found.get("ends", ())),
            dict(found.get("records", ())),
            found.get("repeated", 0),
            found.get("at", 0.0),
            dict(found.get("sources", ())),
            bool(found.get("held")),
        )

    def waiting(self, ends: Mapping[str, int]) -> int:
        """Return how many bytes before these ends are not counted."""
        return sum(max(0, end - self.ends.get(journal, 0)) for journal, end in ends.items())

    def oldest(self, ends: Mapping[str, int]) -> tuple[str, int] | None:
        """Return the journal and the byte in it where that begins, None if all is counted."""
        left = [journal for journal, end in ends.items() if end > self.ends.get(journal, 0)]
        if not left:
            return None
        journal = min(left, key=lambda one: PurePath(one).name.partition("_")[2])
        return journal, self.ends.get(journal, 0)
