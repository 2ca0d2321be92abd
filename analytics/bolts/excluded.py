"""Accts that are excluded: how many records of theirs were left out, by area and day. A bolt of configurations that exclude some."""

from collections.abc import Iterable

from analytics.core.bolt import Bolt, Reads
from analytics.core.exclusion import EXCLUDED, ExcludedRecord
from analytics.core.measures import Count, Distinct


def excluded(topics: Iterable[str]) -> Bolt:
    """Return the bolt that counts what others leave out, who read ``topics`` of spouts."""
    return Bolt(
        name=EXCLUDED,
        reads={topic: Reads(ExcludedRecord) for topic in topics},
        measures={"count": Distinct("acct", list_field="userlist"), "records": Count()},
        totals=True,
        lenient=True,
        of_excluded=True,
    )
