"""Which collections the timer bolts write, and which family writes one."""

from analytics.runtime.timers import totals
from analytics.store import Store
from analytics.store.store import TOTAL
from analytics.timers import NAMES, TIMERS, rollup
from analytics.timers.facts import COLLECTIONS as READ


def collections_of(name: str) -> tuple[str, ...]:
    """Return the collections of a timer bolt or family."""
    if name == rollup.NAME:
        return totals.COLLECTIONS
    return (name, f"{name}{TOTAL}") if name in TIMERS and TIMERS[name].of_totals else (name,)


WRITTEN: dict[str, str] = {collection: name for name in NAMES for collection in collections_of(name)}
"""By collection, the timer bolt or family that writes it."""

INDEXED = tuple(dict.fromkeys((*WRITTEN, *READ.values(), *totals.ROLLUPS)))
"""Collections that are searched here."""


def remove_former(store: Store) -> None:
    """Remove documents of whole games that stand among those of areas, as versions before 0.3 wrote them."""
    for name in TIMERS:
        if former := [one["_id"] for one in store.find(name, area="*")]:
            store.delete(name, former)
