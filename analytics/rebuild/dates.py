"""Dates of documents that no journal can derive again: they follow from the documents themselves."""

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt
from analytics.core.document import dates_of
from analytics.core.portions import portions
from analytics.rebuild.gaps import FOR_EVER
from analytics.rebuild.group import begins_period
from analytics.store import Store, Write
from analytics.store.store import is_version

AT_ONCE = 500


def add_dates(
    store: Store, areas: Areas, bolt: Bolt, area: str, since: int | None, until: int | None, low: int
) -> int:
    """Add to documents of a bolt what they should say of their ``ts``, and do not, as those of earlier versions; return to how many.

    Documents of a period of another zone, from before an area's zone was changed, stay as they are: their numbers are of a day there.

    Args:
        since, until: of which time, in Unix seconds; None: no bound.
        low: later ones are derived from journals; FOR_EVER: none are.
    """
    if low < FOR_EVER:
        until = low if until is None else min(low, until)
    added = 0
    found = store.find(bolt.name, area=area, since=since, until=until, batch=AT_ONCE)
    for some in portions(found, AT_ONCE):
        writes = [
            Write(one["_id"], {**one, **dates_of(one, areas), "_v": one["_v"] + 1}, one["_v"])
            for one in some
            if is_version(one)
            and begins_period(bolt, areas[area], one)
            and not dates_of(one, areas).items() <= one.items()
        ]
        # A refused document was written by another process meanwhile, with its dates.
        added += len(writes) - len(store.write(bolt.name, writes)) if writes else 0
    return added
