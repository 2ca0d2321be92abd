"""The bolt that counts the records of excluded accts, by area and day. Only configurations that exclude some have it."""

from collections.abc import Iterable

from analytics.core.bolt import Bolt, Reads
from analytics.core.exclusion import EXCLUDED, ExcludedRecord
from analytics.core.measures import Count, Distinct


def excluded(topics: Iterable[str]) -> Bolt:
    """Return the bolt. ``topics``: those of spouts that other bolts read, and whose excluded records it counts."""
    return Bolt(
        name=EXCLUDED,
        reads={topic: Reads(ExcludedRecord) for topic in topics},
        measures={"count": Distinct("acct", list_field="userlist"), "records": Count()},
        totals=True,
        lenient=True,
        of_excluded=True,
    )
