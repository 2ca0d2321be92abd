"""Dates of documents that no journal can derive again: they follow from the documents themselves."""

from itertools import islice

from analytics.core.areas import Areas
from analytics.core.document import dates_of
from analytics.rebuild.gaps import FOR_EVER
from analytics.store import Store, Write
from analytics.store.store import is_version

AT_ONCE = 500


def add_dates(
    store: Store, areas: Areas, bolt: str, area: str, since: int | None, until: int | None, low: int
) -> int:
    """Add to documents of a bolt what they should say of their ``ts``, and do not, as those of earlier versions; return to how many.

    Args:
        since, until: of which time, in Unix seconds; None: no bound.
        low: later ones are derived from journals; FOR_EVER: none are.
    """
    if low < FOR_EVER:
        until = low if until is None else min(low, until)
    added = 0
    found = store.find(bolt, area=area, since=since, until=until, batch=AT_ONCE)
    while some := list(islice(found, AT_ONCE)):
        writes = [
            Write(one["_id"], {**one, **dates_of(one, areas), "_v": one["_v"] + 1}, one["_v"])
            for one in some
            if is_version(one) and not dates_of(one, areas).items() <= one.items()
        ]
        # A refused document was written by another process meanwhile, with its dates.
        added += len(writes) - len(store.write(bolt, writes)) if writes else 0
    return added
