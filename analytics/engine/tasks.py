"""What tasks take and return: it travels between processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from analytics.core.combine import Deltas
from analytics.core.intervals import Pair
from analytics.core.writing import Written
from analytics.engine.blocks import JournalBlock

Names = dict[str, list[Pair]]
"""Names of records: per source their numbers, as sorted pairs of first and last."""


class FoldTask(msgspec.Struct, frozen=True):
    """A block to fold, ``without`` these records.

    ``at``: when it was planned, in Unix seconds. Lines that mappings read are judged by it, whenever the task runs and wherever.
    """

    block: JournalBlock
    at: int
    without: Names = {}


class UnusableRecord(msgspec.Struct, array_like=True, gc=False):
    """A line that no bolt can use. ``source``: where the record comes from, or the journal if the line does not say it; ``n``: its number there, 0 if that is not known."""

    source: str
    line: bytes
    reason: str
    n: int = 0


class Summary(msgspec.Struct):
    """What a block holds.

    Attributes:
        names: the records that count; those of topics that no bolt reads are among them.
        lines: lines that were read.
        repeated: lines that name a record once more, in the block itself or among those to leave out.
        topics: per topic, how many records count.
        unused: lines that are no records by the mapping that their source has now.
        unmapped: record sources with lines that nothing can read, each with the configured source whose mapping is gone.
        newest: the latest ``ts`` among them, Unix seconds; 0 if there is none.
        unusable: lines that count nowhere.
    """

    names: Names = {}
    lines: int = 0
    repeated: int = 0
    topics: dict[str, int] = {}
    unused: Names = {}
    unmapped: dict[str, str] = {}
    newest: int = 0
    unusable: list[UnusableRecord] = []


@dataclass(slots=True)
class Folded:
    """A block's summary, and by area what its records change."""

    summary: Summary
    areas: dict[str, Deltas] = field(default_factory=dict)


@dataclass(slots=True)
class AreaSettled:
    """What settling an area's part of a batch came to.

    Attributes:
        area: its id.
        changed: per bolt that publishes or has totals, the starts of the periods whose documents were written or may have been.
        documents: how many documents were settled.
        written: per bolt, some of the documents that were written last, of this area or of others that were settled with it.
    """

    area: str
    changed: dict[str, list[int]] = field(default_factory=dict)
    documents: int = 0
    written: dict[str, Written] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Extent:
    """Where deltas lie: a file, bytes of it, and their SHA-256."""

    path: str
    offset: int
    size: int
    digest: bytes


Extents = Mapping[int, Extent]
"""By portion of the areas or documents."""
