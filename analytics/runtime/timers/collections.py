"""Which collections the timer bolts write, and which family writes one."""

from analytics.bolts import BOLTS
from analytics.config import Catalogue
from analytics.core.funnels import STEPS
from analytics.core.segments import PROPERTIES
from analytics.core.timer_sources import SOURCES
from analytics.store import Store
from analytics.store.store import AREAS, DIVIDED, TOTAL, is_divided
from analytics.timers import NAMES, TIMERS, rollup
from analytics.timers.funnel import funnel


def collections_of(name: str, bolts: Catalogue = BOLTS) -> tuple[str, ...]:
    """Return the collections of a timer bolt or family. ``bolts``: whose totals are among them."""
    if name == rollup.NAME:
        return (*(f"{bolt.name}{TOTAL}" for bolt in bolts.values() if bolt.totals), AREAS)
    if name not in TIMERS:
        return (name,)
    parts = ("", DIVIDED) if TIMERS[name].of_segments else ("",)
    return tuple(f"{name}{of}{end}" for of in parts for end in ("", TOTAL))


def written(bolts: Catalogue) -> dict[str, str]:
    """Return, by collection, the timer bolt or family that writes it."""
    return {collection: name for name in NAMES for collection in collections_of(name, bolts)}


WRITTEN = written(BOLTS)
"""With the built-in bolts alone."""


def indexed(bolts: Catalogue) -> list[str]:
    """Return the collections that are searched here."""
    own = [
        name
        for name, timer in written(bolts).items()
        if (PROPERTIES in bolts or not is_divided(name)) and (STEPS in bolts or timer != funnel.name)
    ]
    declared = [name for name in (PROPERTIES, STEPS) if name in bolts]
    totalled = [bolt.name for bolt in bolts.values() if bolt.totals]
    return list(dict.fromkeys((*own, *SOURCES, *declared, *totalled)))


def remove_former(store: Store) -> None:
    """Remove documents of whole games that stand among those of areas, as versions before 0.2 wrote them."""
    for name in TIMERS:
        if former := [one["_id"] for one in store.find(name, area="*")]:
            store.delete(name, former)
