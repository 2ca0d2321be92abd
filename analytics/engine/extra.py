"""Documents that no record supports: a backfill removes them, once it has derived all others."""

from collections import Counter
from collections.abc import Iterator

from analytics.engine.deriving import DerivationScope, DerivedPortion
from analytics.engine.extents import load_extent
from analytics.rebuild.check import parts_of
from analytics.store import Store

AT_ONCE = 200

FEW = 20
"""Of a bolt. If there are more, and more than a tenth of all, the journals may belong to another database."""


class ExtraDocuments:
    """Documents of the derived bolts that were not derived.

    Args:
        many: remove them even if they are many.

    Attributes:
        removed: by bolt, how many were removed.
        spared: by bolt, how many were left alone, as they are many.
    """

    def __init__(self, store: Store, wanted: DerivationScope, derived: DerivedPortion, many: bool) -> None:
        self._store = store
        self._wanted = wanted
        self._derived = derived
        self._many = many
        self.removed: Counter[str] = Counter()
        self.spared: Counter[str] = Counter()

    def remove(self) -> None:
        """Remove them, area by area, but for areas of which records are missing. Raise Unavailable if the store does not answer."""
        for name in sorted(self._wanted.bolts):
            found = list(self._find(name))
            if not self._many and len(found) > max(FEW, self._derived.looked[name] // 10):
                self.spared[name] = len(found)
                continue
            for begin in range(0, len(found), AT_ONCE):
                documents = self._store.load(name, found[begin : begin + AT_ONCE])
                for id_, document in documents.items():
                    if "part_of" not in document and self._store.remove(name, id_, document.get("_v")):
                        self._store.delete(name, parts_of(document))
                        self.removed[name] += 1

    def _find(self, name: str) -> Iterator[str]:
        """Yield ids, most of the time after counting alone: few areas have any."""
        areas = {
            area
            for area in self._wanted.spans
            if not self._wanted.low.get((name, area))
            and sum(1 for _ in self._stored(name, area)) > self._derived.kept[name, area]
        }
        kept: set[str] = set()
        for extent in self._derived.ids if areas else ():
            kept.update(id_ for id_ in load_extent(extent).get(name, ()) if id_.partition(":")[0] in areas)
        for area in sorted(areas):
            yield from (id_ for id_ in self._stored(name, area) if id_ not in kept)

    def _stored(self, name: str, area: str) -> Iterator[str]:
        """Yield the ids of an area's documents, but for those that look like parts of a list."""
        return (id_ for id_ in self._store.ids(name, f"{area}:") if "#" not in id_)
