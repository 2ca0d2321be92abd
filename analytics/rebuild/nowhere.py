"""Journaled lines that a rebuild counts nowhere, and why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from analytics.core.fold import UnusableLine
from analytics.core.periods import PeriodName
from analytics.spouts.rejected import kind_of


@dataclass
class CountedNowhere:
    """Lines that count nowhere.

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
