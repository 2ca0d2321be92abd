"""Which collections the timer bolts write, and which family writes one."""

from analytics.bolts import BOLTS
from analytics.config import Catalogue
from analytics.store import Store
from analytics.store.store import AREAS, TOTAL
from analytics.timers import NAMES, TIMERS, rollup
from analytics.timers.facts import COLLECTIONS as READ


def collections_of(name: str, bolts: Catalogue = BOLTS) -> tuple[str, ...]:
    """Return the collections of a timer bolt or family. ``bolts``: whose totals are among them."""
    if name == rollup.NAME:
        return (*(f"{bolt.name}{TOTAL}" for bolt in bolts.values() if bolt.totals), AREAS)
    return (name, f"{name}{TOTAL}") if name in TIMERS and TIMERS[name].of_totals else (name,)


def written(bolts: Catalogue) -> dict[str, str]:
    """Return, by collection, the timer bolt or family that writes it."""
    return {collection: name for name in NAMES for collection in collections_of(name, bolts)}


WRITTEN = written(BOLTS)
"""With the built-in bolts alone."""


def indexed(bolts: Catalogue) -> list[str]:
    """Return the collections that are searched here."""
    totalled = [bolt.name for bolt in bolts.values() if bolt.totals]
    return list(dict.fromkeys((*written(bolts), *READ.values(), *totalled)))


def remove_former(store: Store) -> None:
    """Remove documents of whole games that stand among those of areas, as versions before 0.3 wrote them."""
    for name in TIMERS:
        if former := [one["_id"] for one in store.find(name, area="*")]:
            store.delete(name, former)
