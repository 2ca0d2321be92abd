"""How far the engine has counted, as its driver keeps it in the store: for those who wait for it or report it."""

from collections.abc import Mapping
from pathlib import PurePath

import msgspec

from analytics.config import Config, EngineSection
from analytics.runtime.nodes import readers
from analytics.store import POSITIONS, Store

ENGINE = "engine"
"""The document of the collection ``positions``, see :mod:`analytics.engine.position`."""

COUNTING = "counting"
"""The document of ``positions`` that says who counts: ``{"by": "engine"}`` or ``{"by": "broker"}``."""


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
        held: whether batches wait for a backfill, or until accts are forgotten.
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


def counting(store: Store) -> str:
    """Return who counts: "engine", "broker", or "" if that was never noted."""
    return str(store.load(POSITIONS, [COUNTING]).get(COUNTING, {}).get("by", ""))


def counted_by_broker(config: Config, store: Store) -> str:
    """Return why an engine must not count in this database, "" if it may. Raise Unavailable where the store does not answer."""
    by = counting(store)
    before = readers(msgspec.structs.replace(config, engine=EngineSection()))
    positions = {} if by else store.load(POSITIONS, list(before))
    logs = {one["log"] for one in positions.values() if not one["log"].startswith("engine:")}
    if by != "broker" and not logs - {""}:
        return ""
    return (
        "broker and workers have counted records of this database: `bin/analytics engine adopt` hands over to the engine, so that "
        "none counts twice"
    )
