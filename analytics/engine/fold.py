"""The first half of a batch: blocks are read and folded, without a store."""

from dataclasses import dataclass, field

import msgspec

from analytics.core.bolt import Key
from analytics.core.fold import Delta
from analytics.core.intervals import Pair
from analytics.engine.blocks import JournalBlock

Names = dict[str, list[Pair]]
"""Names of records: per source their numbers, as sorted pairs of first and last."""

AreaDeltas = dict[str, dict[Key, list[Delta]]]
"""What changes in the documents of one area: per bolt, per key."""


class FoldTask(msgspec.Struct, frozen=True):
    """A block to fold, ``without`` these records."""

    block: JournalBlock
    without: Names = {}


class UnusableRecord(msgspec.Struct, array_like=True, gc=False):
    """A line that no bolt can use. ``source``: where the record comes from, or the journal if the line does not say it."""

    source: str
    line: bytes
    reason: str


class Summary(msgspec.Struct):
    """What a block holds.

    Attributes:
        names: the records that count; those of topics that no bolt reads are among them.
        lines: lines that were read.
        repeated: lines that name a record once more, in the block itself or among those to leave out.
        topics: per topic, how many records count.
        newest: the latest ``ts`` among them, Unix seconds; 0 if there is none.
        unusable: lines that count nowhere.
    """

    names: Names = {}
    lines: int = 0
    repeated: int = 0
    topics: dict[str, int] = {}
    newest: int = 0
    unusable: list[UnusableRecord] = []


@dataclass(slots=True)
class Folded:
    """A block's summary, and by area what its records change."""

    summary: Summary
    areas: dict[str, AreaDeltas] = field(default_factory=dict)
