"""How far an engine is, kept in the store: the last batch that is committed, and the plan of the next one, once it is frozen.

{"_id": "engine", "id": "5f0c…", "batch": 17, "ends": [["gamelog_202501010000.txt", 4096]], "frozen": null, "_v": 35, …}
"""

from dataclasses import dataclass, field

import msgspec

from analytics.engine.fold import FoldTask, Names
from analytics.errors import AnalyticsError

ENGINE = "engine"
"""The document of the collection ``positions``."""


class DriverOvertaken(AnalyticsError):
    """Another driver has gone on from the saved position."""


class Plan(msgspec.Struct, frozen=True):
    """A batch as it is executed, by whichever driver, however often: blocks, each without what counted before, and the names of the records that count."""

    tasks: list[FoldTask]
    names: Names


@dataclass
class SavedPosition:
    """What is stored.

    Attributes:
        id: random, made with the first position.
        batch: the last batch that is committed; 0 before the first one.
        ends: per journal, the byte before which everything is planned in committed batches.
        frozen: the plan of the next batch, None before it is frozen.
        records: per topic, how many records count in all committed batches.
        written: per bolt, ids and versions of documents that were written last: the store should have them.
        version: of the stored document; 0 if there is none.
    """

    id: str = ""
    batch: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    frozen: Plan | None = None
    records: dict[str, int] = field(default_factory=dict)
    written: dict[str, dict[str, tuple[int, float]]] = field(default_factory=dict)
    version: int = 0

    @property
    def log(self) -> str:
        """The identity that documents keep in ``_at``."""
        return f"engine:{self.id}"
