"""Journaled records that bolts can't use: how many and why, and the list of rejected records, which has each until it counts.

    journal ──▶ derived ─┬─ a bolt refuses it ──▶ listed, once by its name, unless it was dismissed
                         └─ a listed one that no bolt refuses any more ──▶ off the list, when all documents are right

The filter has accepted such a record, so a replay would drop it. Only a rebuild counts it, and so only a rebuild takes it off the list.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from analytics.config import Catalogue, Config
from analytics.core.areas import Areas
from analytics.core.fold import Folder, UnusableLine
from analytics.core.journal_lines import SPOUTS, by_topic
from analytics.core.periods import PeriodName
from analytics.core.tuples import UNDECODABLE
from analytics.spouts.rejected import Reject, counted_now, dismissed, keep, kind_of, reject, waiting

REJECTS_FOR = "rebuild"
"""The node in whose name records are rejected."""

MOST_LISTED = 10_000
"""Records that one rebuild puts on the list: more have the same causes, and a reader of the list has all of it in memory."""

RecordName = tuple[str, int]
"""The source of a record and its number there."""


class _AreaOnly(msgspec.Struct):
    area: str


_areas = msgspec.json.Decoder(_AreaOnly)


@dataclass
class CountedNowhere:
    """Journaled lines that a rebuild counts nowhere.

    Attributes:
        unreadable: how many are no records.
        unmapped: how many are no records by the mapping that their source has now.
        unusable: how many records bolts could not use, by reason, area and the kind of the bolts' periods.
        example: one record of each reason.
    """

    unreadable: int = 0
    unmapped: int = 0
    unusable: Counter[tuple[str, str, PeriodName | None]] = field(default_factory=Counter)
    example: dict[str, bytes] = field(default_factory=dict)

    def add(self, area: str, kind: PeriodName | None, lines: Iterable[UnusableLine]) -> None:
        """Add records of an area that bolts of one kind could not use."""
        for one in lines:
            reason = kind_of(one.reason)
            self.example.setdefault(reason, one.line)
            self.unusable[reason, area, kind] += 1

    def reasons(self) -> Counter[str]:
        """Return why records could not be used, and how many. Bolts of each kind are given all records of an area."""
        most: Counter[tuple[str, str]] = Counter()
        for (reason, area, _), count in self.unusable.items():
            most[reason, area] = max(most[reason, area], count)
        found: Counter[str] = Counter()
        for (reason, _), count in most.items():
            found[reason] += count
        return found


class RejectedRecords:
    """The list of rejected records as a rebuild finds it: which of those that bolts could not use count now, and which are new.

    A record has its name: it is listed once, whatever the line that a mapping makes of it, and not again after it was dismissed.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        # What a spout rejects was not accepted, and is in no journal.
        listed = [one for one in waiting(config.data).values() if one.spout not in SPOUTS]
        self._listed = [(name_of(one.original()), one) for one in listed]
        self.names = {name for name, _ in self._listed if name}
        """The listed records of spouts."""
        self._dismissed = {name_of(one.original()) for one in dismissed(config.data).values()}
        self._derived: set[RecordName] = set()
        self._refused: set[RecordName] = set()
        self._fresh: dict[RecordName, Reject] = {}

    def derived(self, name: RecordName) -> None:
        """Note that documents are derived from one of :attr:`names`."""
        self._derived.add(name)

    def refuse(self, lines: Iterable[UnusableLine]) -> None:
        """Note records that a bolt could not use."""
        for one in lines:
            name = name_of(one.line)
            if name in self.names:
                self._refused.add(name)
            elif name and name not in self._dismissed and len(self._fresh) < MOST_LISTED:
                self._fresh.setdefault(name, reject(REJECTS_FOR, name[0], one.reason, one.line))

    def list_refused(self) -> int:
        """Put records that a bolt could not use on the list, unless they are there or were dismissed; return how many."""
        if self._fresh:
            keep(self._config, self._fresh.values())
        return len(self._fresh)

    def end_counted(self, bolts: Catalogue, areas: Areas, only: str = "") -> int:
        """Take off the list what every bolt can use now; return how many. Call it where all documents are right.

        ``only``: an area, whose records alone are looked at; "": all.
        """
        folder = Folder(bolts.values(), areas)
        found = [
            one
            for name, one in self._listed
            if (name in self._derived - self._refused if name else _is_usable(one, bolts, folder, only))
        ]
        if found:
            keep(self._config, counted_now(found))
        return len(found)


def _is_usable(one: Reject, bolts: Catalogue, folder: Folder, only: str) -> bool:
    """Whether bolts can use a tuple of another bolt."""
    topic, line = one.source.partition("@")[0], one.original()
    try:
        area = _areas.decode(line).area
    except UNDECODABLE:
        return False
    read_by = any(topic in bolt.reads for bolt in bolts.values())
    return read_by and only in ("", area) and not folder.fold(topic, 1, line)[1]


def name_of(line: bytes) -> RecordName | None:
    """Return the name in a line of a journal or a message, None where it is no record of a spout."""
    found = by_topic(line + b"\n").numbers
    return next(((source, pairs[0][0]) for source, pairs in found.items()), None)
