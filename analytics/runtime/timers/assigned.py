"""Which value of a segment each acct has, and since which day: read from what the bolt of properties has stored.

An acct has the value of its first record that has the property, from that record's day on. Before that day it has none, so
it counts as unknown there: what a day says is not changed by what becomes known on a later one. In a plat or a game
the first record of all areas counts: of the earliest day, then of the earliest time, then of the area whose id comes first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import gevent
import numpy as np
from numpy.typing import NDArray

from analytics.bolts.segments import ACCTS
from analytics.core.areas import Areas
from analytics.core.bolt import joined
from analytics.core.segments import PROPERTIES, Segment, Segments
from analytics.runtime.timers.scopes import Scope, day_of, start_of
from analytics.store import Store
from analytics.store.store import Document
from analytics.timers.facts import NEVER, Numbers, Split

HISTORY_AT_ONCE = 50


@dataclass(slots=True)
class _Table:
    """By acct number: the day of the first record with the property (``NEVER``: there is none), its time, and the value's place."""

    since: NDArray[np.int32]
    ts: NDArray[np.int64]
    places: NDArray[np.uint8]

    @classmethod
    def empty(cls) -> "_Table":
        return cls(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.uint8))

    def grow(self, accts: int) -> None:
        """Have room for so many accts."""
        if (more := accts - len(self.since)) > 0:
            self.since = np.concatenate([self.since, np.full(more, NEVER, np.int32)])
            self.ts = np.concatenate([self.ts, np.zeros(more, np.int64)])
            self.places = np.concatenate([self.places, np.zeros(more, np.uint8)])

    def take(self, accts: Numbers, where: NDArray[np.bool_], of: "_Table") -> None:
        """Take what ``of`` says of ``accts``, in their order, of those of them that ``where`` has."""
        chosen = accts[where]
        self.since[chosen], self.ts[chosen], self.places[chosen] = (
            of.since[where],
            of.ts[where],
            of.places[where],
        )

    @property
    def nbytes(self) -> int:
        return self.since.nbytes + self.ts.nbytes + self.places.nbytes


@dataclass(slots=True)
class _Known:
    """What is known of an area. ``revision``: a number of its own for each state. ``changed``: days to read again. ``versions``: a hash of
    the ids and versions of the documents that were read; ``doubtful``: whether there may be others."""

    tables: Mapping[str, _Table]
    revision: int
    changed: set[int]
    versions: int
    doubtful: bool = False


class Assigned:
    """Reads which value each acct has, and keeps it until a day is said to have changed.

    Args:
        number: takes an area and names of accts; returns their numbers there.
        translate: takes an area, the pool of a plat or game, and numbers of the area; returns those of the pool.
    """

    def __init__(
        self,
        store: Store,
        areas: Areas,
        segments: Segments,
        number: Callable[[str, list[str]], Numbers],
        translate: Callable[[str, str, Numbers], Numbers],
    ) -> None:
        self._store = store
        self._areas = areas
        self._segments = {area.id: segments.get(area.game, ()) for area in areas.values()}
        self._number = number
        self._translate = translate
        self._revision = 0
        self.clear()

    def clear(self) -> None:
        self._known: dict[str, _Known] = {}
        self._united: dict[tuple[str, str], tuple[tuple[int, ...], _Table]] = {}

    @property
    def bytes(self) -> int:
        """Return about how much memory it takes."""
        tables = [table for known in self._known.values() for table in known.tables.values()]
        return sum(table.nbytes for table in [*tables, *(table for _, table in self._united.values())])

    def forget(self, area: str, day: int) -> None:
        """Take it that an area's day has changed."""
        if area in self._known:
            self._known[area].changed.add(day)

    def doubt(self) -> None:
        """Take it that anything may have changed: what has another version is read again."""
        for known in self._known.values():
            known.doubtful = True

    def load(self, scope: Scope) -> None:
        """Read what is not known yet of the scope's areas, and unite them."""
        for area in scope.areas:
            known = self._known.get(area)
            if known is not None and known.doubtful:
                known = self._compared(area, known)
            if known is None or (known.changed and not self._read_changed(area, known)):
                self._read_all(area)
        if scope.is_total and scope.segment:
            self._unite(scope, scope.segment)

    def split(self, scope: Scope, accts: int) -> Split:
        """Return how the scope's segment divides accts whose numbers are below ``accts``. Load it before."""
        assert scope.segment is not None
        name = scope.segment.name
        table = self._united[scope.pool, name][1] if scope.is_total else self._known[scope.area].tables[name]
        table.grow(accts)
        return Split(len(scope.segment.values), table.since[:accts], table.places[:accts])

    def _compared(self, area: str, known: _Known) -> _Known | None:
        """Return what is known of an area if the versions of its documents are still the same, else None."""
        rows = self._store.rows(PROPERTIES, ["_id", "_v"], game=self._areas[area].game, area=area)
        if hash(frozenset(map(_version, rows))) != known.versions:
            return None
        known.doubtful = False
        return known

    def _read_all(self, area: str) -> None:
        tables: dict[str, _Table] = defaultdict(_Table.empty)
        zone = self._areas[area].zone
        by_source = {(one.name, one.source): one for one in self._segments[area]}
        versions: set[tuple[str, str]] = set()
        for document in self._store.find(PROPERTIES, area=area, batch=HISTORY_AT_ONCE):
            versions.add(_version(document))
            segment = by_source.get((document["segment"], document["from"]))
            day = day_of(zone, document["ts"])
            if segment and start_of(zone, day) == document["ts"]:  # else it is left over from another zone
                self._take(area, tables[segment.name], segment, day, document)
        for segment in self._segments[area]:
            tables[segment.name].grow(0)
        self._revision += 1
        self._known[area] = _Known(tables, self._revision, set(), hash(frozenset(versions)))
        gevent.sleep(0)

    def _read_changed(self, area: str, known: _Known) -> bool:
        """Read the days that have changed; return False where everything has to be read, since a day lacks what it had."""
        zone, days = self._areas[area].zone, sorted(known.changed)
        asked = {
            joined((area, start_of(zone, day), one.name, one.source)): (one, day)
            for day in days
            for one in self._segments[area]
        }
        found = self._store.load(PROPERTIES, list(asked))
        complete = [
            self._take(area, known.tables[segment.name], segment, day, found.get(id_))
            for id_, (segment, day) in asked.items()
        ]
        self._revision += 1
        known.revision = self._revision
        if all(complete):
            known.changed.difference_update(days)
        # Else others that look at the area read it, too, until all of it was read again.
        return all(complete)

    def _take(self, area: str, table: _Table, segment: Segment, day: int, document: Document | None) -> bool:
        """Take up an area's day; return whether it has every acct that was taken to be known since then."""
        whole = self._store.whole(PROPERTIES, document) if document else {}
        rows = ACCTS.load("accts", whole)
        accts = self._number(area, list(rows))
        of_day = _Table(
            np.full(len(rows), day, np.int32),
            np.fromiter((order[0] for order, _ in rows.values()), np.int64, len(rows)),
            np.fromiter((segment.place(value) for _, value in rows.values()), np.uint8, len(rows)),
        )
        table.grow(int(accts.max()) + 1 if len(accts) else 0)
        gone = table.since == day
        gone[accts] = False
        table.take(accts, table.since[accts] >= day, of_day)
        return not gone.any()

    def _unite(self, scope: Scope, segment: Segment) -> None:
        """Work out a plat's or game's accts from its areas'."""
        areas = sorted(scope.areas)
        revisions = tuple(self._known[area].revision for area in areas)
        at = scope.pool, segment.name
        if at in self._united and self._united[at][0] == revisions:
            return
        united = _Table.empty()
        for area in areas:
            self._join(united, self._known[area].tables[segment.name], area, scope.pool)
            gevent.sleep(0)
        self._united[at] = revisions, united

    def _join(self, united: _Table, table: _Table, area: str, pool: str) -> None:
        there = np.flatnonzero(table.since != NEVER)
        own = _Table(table.since[there], table.ts[there], table.places[there])
        accts = self._translate(area, pool, there.astype(np.uint32))
        united.grow(int(accts.max()) + 1 if len(accts) else 0)
        since = united.since[accts]
        earlier = (own.since < since) | ((own.since == since) & (own.ts < united.ts[accts]))
        united.take(accts, earlier, own)


def _version(document: Document) -> tuple[str, str]:
    """Return what differs whenever a document was written."""
    return document["_id"], repr(document.get("_v"))


def described(segments: Segments) -> str:
    """Return a text that changes with whatever documents of segments depend on in the configuration."""
    return repr(sorted((game, _listed(some)) for game, some in segments.items())) if segments else ""


def _listed(segments: Iterable[Segment]) -> list[tuple[str, str, tuple[str, ...]]]:
    return sorted((one.name, one.source, one.values) for one in segments)
