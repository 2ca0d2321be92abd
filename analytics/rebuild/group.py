"""Some days of an area, derived: what every document of theirs should say, those of bolts that read bolts, too."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec

from analytics.config import Catalogue
from analytics.core.agree import expected_fields
from analytics.core.areas import Area, Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.derive import Derivation, Derived, States, lists_of
from analytics.core.fold import UnusableLine
from analytics.core.portions import portions
from analytics.core.schema import is_of_spout
from analytics.store import Document, Store
from analytics.store.store import is_within

VERSIONS_AT_ONCE = 100
LINES_AT_ONCE = 500


def upstream(bolts: Catalogue, names: Iterable[str]) -> list[str]:
    """Return these bolts and all that they read of, each after those that it reads."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        for topic in bolts[name].reads:
            if topic in bolts and topic not in found:
                visit(topic)
        found.setdefault(name)

    for name in names:
        visit(name)
    return list(found)


def reads_spouts(bolt: Bolt) -> bool:
    """Whether a bolt reads spouts' topics, whose messages it counts by number; else it reads other bolts'."""
    return all(map(is_of_spout, bolt.reads))


def spout_topics(bolts: Catalogue, names: Iterable[str]) -> list[str]:
    """Return the spouts' topics that these bolts come from."""
    read = {topic for name in upstream(bolts, names) for topic in bolts[name].reads}
    return sorted(filter(is_of_spout, read))


def home_of(bolt: Bolt, id_: str) -> tuple[str, int | None] | None:
    """Return the area and, of documents that have one, the time in a document's id; None if it has neither."""
    area, *rest = id_.split(":")
    if bolt.period is None:
        return (area, None) if rest else None
    return (area, int(rest[0])) if rest and rest[0].isdecimal() else None


def begins_period(bolt: Bolt, area: Area, document: Document) -> bool:
    """Whether a period of the area's zone begins at a document's ``ts``."""
    ts = document.get("ts")
    return bolt.period is None or (isinstance(ts, int) and area.zone.start(bolt.period, ts) == ts)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Those documents whose ids fall on number ``k`` of ``of``: documents without a time are looked at in shares."""

    k: int = 0
    of: int = 1

    def holds(self, id_: str) -> bool:
        """Whether a document is one of them."""
        return self.of == 1 or crc32(id_.encode()) % self.of == self.k


class Group:
    """Days of one area.

    Args:
        bolts: those whose documents are to be looked at.
        catalogue: all bolts.
        since, until: Unix seconds; None: no bound.
        low: gives the time from which on a bolt's documents can be derived.
    """

    def __init__(
        self,
        area: Area,
        areas: Areas,
        bolts: Sequence[str],
        catalogue: Catalogue,
        since: int | None,
        until: int | None,
        low: Callable[[str], int],
        share: Bucket,
    ) -> None:
        self.area = area
        self.since = since
        self.until = until
        self.share = share
        self.low = low
        self.versions: dict[str, dict[str, int]] = {}
        self._areas = areas
        self._catalogue = catalogue
        self._derivation = Derivation(
            [catalogue[name] for name in upstream(catalogue, bolts) if reads_spouts(catalogue[name])],
            areas,
            lambda bolt, key: bolt.name not in bolts or share.holds(bolt.id_of(key)),
        )

    def holds(self, area: str, day: int) -> bool:
        """Whether an area's day is among these."""
        return area == self.area.id and is_within(day, self.since, self.until)

    def bounds(self, name: str) -> tuple[int | None, int | None]:
        """Return from when to when a bolt's documents are looked at."""
        if self._catalogue[name].period is None:
            return None, None
        low = self.low(name)
        return (max(low, self.since or 0) if low else self.since), self.until

    def fold(self, topic: str, number: int, body: bytes) -> None:
        """Take records."""
        self._derivation.fold(topic, number, body)

    @property
    def unusable(self) -> Sequence[UnusableLine]:
        """The records that count nowhere, since a bolt can't use them."""
        return self._derivation.unusable

    def wanted(self, name: str, key: Key) -> bool:
        """Whether a document can be derived and belongs to the group's days."""
        return self._catalogue[name].period is None or is_within(key[1], *self.bounds(name))

    def strays(self, name: str, id_: str) -> bool:
        """Whether a document belongs, by its id, to another area or other days than these."""
        if (home := home_of(self._catalogue[name], id_)) is None:
            return False
        area, ts = home
        return area != self.area.id or not (ts is None or is_within(ts, *self.bounds(name)))

    @staticmethod
    def is_home(bolt: Bolt, document: Document) -> bool:
        """Whether a document's fields say what its id says."""
        ts = document.get("ts") if bolt.period is not None else None
        return home_of(bolt, document["_id"]) == (document.get("area"), ts)

    def keys(self, name: str, states: Iterable[Key]) -> dict[str, Key]:
        """Return, by id, those of a bolt's documents that are looked at."""
        bolt = self._catalogue[name]
        return {bolt.id_of(key): key for key in states if self.wanted(name, key)}

    def documents(self, name: str, store: Store) -> Mapping[Key, Derived]:
        """Return a bolt's documents, by key, with all records that have been read: those of a bolt that reads bolts follow from theirs."""
        bolt = self._catalogue[name]
        if reads_spouts(bolt):
            return self._derivation.documents[name]
        derivation = Derivation([bolt], self._areas)
        for topic in bolt.reads:
            above = self._catalogue[topic]
            found = {key: one.at(None) for key, one in self.documents(topic, store).items()}
            states = {key: some for key, some in found.items() if some is not None}
            versions = self._versions(topic, [above.id_of(key) for key in states], store)
            lines = (
                msgspec.json.encode(
                    tuple_of(above, key, state, self._areas, versions.get(above.id_of(key), 0))
                )
                for key, state in states.items()
            )
            for some in portions(lines, LINES_AT_ONCE):
                derivation.fold(topic, 0, b"\n".join(some))
        return derivation.documents[name]

    def forget_versions(self) -> None:
        """Have documents' versions read again."""
        self.versions.clear()

    def _versions(self, name: str, ids: list[str], store: Store) -> dict[str, int]:
        known = self.versions.setdefault(name, {})
        missing = [id_ for id_ in ids if id_ not in known]
        for some in portions(missing, VERSIONS_AT_ONCE):
            known.update(dict.fromkeys(some, 0))
            for id_, document in store.load(name, some).items():
                version = document.get("_v")
                known[id_] = version if isinstance(version, int) else 0
        return known


def tuple_of(bolt: Bolt, key: Key, states: States, areas: Areas, version: int) -> dict[str, object]:
    """Return the tuple that says all of a document, and accounts for no records."""
    whole = expected_fields(bolt, key, states, areas) | lists_of(bolt, states)
    shown = {name: value for name, value in whole.items() if not name.startswith("_")}
    return shown | {"version": version, "tuples": 0}
