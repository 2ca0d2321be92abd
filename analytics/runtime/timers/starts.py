"""When areas started: the collection ``serverstarttime``, which ``kpi`` looks at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analytics.core.areas import Areas
from analytics.core.periods import dates
from analytics.core.timer_sources import READ_FOR_STARTS
from analytics.runtime.horizons import Horizons
from analytics.runtime.timers.documents import Now, moment, public
from analytics.runtime.timers.scopes import Scope, day_of
from analytics.store import Store
from analytics.store.store import Document, is_version
from analytics.timers.start import NAME, earliest, fields


@dataclass(frozen=True)
class Start:
    """A document of ``serverstarttime`` as it should be at ``now``. ``moved``: what looks at the start must be computed again."""

    area: str
    expected: int
    document: Document
    now: int
    moved: bool


class Starts:
    """The stored starts, kept once they are read."""

    def __init__(self, store: Store, areas: Areas) -> None:
        self._store = store
        self._areas = areas
        self._known: dict[str, Document | None] = {}

    def clear(self) -> None:
        self._known.clear()

    def load(self, areas: Iterable[str]) -> None:
        """Read the starts of these areas where they are not known."""
        unknown = [area for area in areas if area not in self._known]
        found = self._store.load(NAME, unknown) if unknown else {}
        for area in unknown:
            document = found.get(area)
            if document is not None and not (is_version(document) and isinstance(document.get("ts"), int)):
                # It was changed by hand: no conditional write could replace it.
                self._store.remove(NAME, area, document.get("_v"))
                document = None
            self._known[area] = document

    def of(self, scope: Scope) -> tuple[int | None, int | None]:
        """Return when the scope started and on which day, None where that is not known. Load its areas before."""
        found = [(area, document) for area in scope.areas if (document := self._known.get(area))]
        start = min((document["ts"] for _, document in found), default=None)
        days = (day_of(self._areas[area].zone, document["ts"]) for area, document in found)
        return start, min(days, default=None)

    def due(self, reported: Mapping[str, int], now: Now, again: bool) -> list[Start]:
        """Return the documents to write, given the earliest ``first_ts`` that was reported of each area since.

        ``again``: the run before may have written a start without what follows from it.
        """
        self.load(self._areas)
        result = []
        for area in self._areas:
            known, later = self._known[area], [reported[area]] if area in reported else []
            start = known["ts"] if known else None
            # An area can't have started before it opened, as the configuration says by now.
            before = any(ts is not None and ts < self._areas[area].opened for ts in (start, *later))
            if before or (known is None and later):
                found = self.first(area, *later)
            else:
                found = earliest(start, later)
            if found is not None:
                result += self._start(area, found, now, again and reported.get(area) == found)
        return result

    def computed(self, areas: Iterable[str], now: Now, again: bool = False) -> list[Start]:
        """Return the documents to write, from all that the bolts have stored."""
        listed = list(areas)
        self.load(listed)
        firsts = ((area, self.first(area)) for area in listed)
        return [start for area, ts in firsts if ts is not None for start in self._start(area, ts, now, again)]

    def written(self, area: str, document: Document) -> None:
        """Take up that an area's document was written."""
        self._known[area] = document

    def forget(self, area: str) -> None:
        """Read an area's document again when it is needed: another process has written it."""
        self._known.pop(area, None)

    def first(self, area: str, *reported: int) -> int | None:
        """Return the earliest ``first_ts`` since an area opened, of those stored and those given; None: there is none."""
        opened = self._areas[area].opened
        since = opened or None
        stored = [self._store.first(name, "first_ts", area=area, since=since) for name in READ_FOR_STARTS]
        firsts = [one["first_ts"] for one in stored if one and "first_ts" in one]
        first = earliest(None, [ts for ts in (*reported, *firsts) if ts >= opened])
        self.load([area])
        known = self._known[area]
        if known is None or known["ts"] < opened or (first is not None and first <= known["ts"]):
            return first
        # The hours that it follows from may be gone.
        until = Horizons.load(self._store, READ_FOR_STARTS).until.values()
        return known["ts"] if known["ts"] < max(until, default=0) else first

    def _start(self, area: str, ts: int, clock: Now, again: bool) -> list[Start]:
        known, of = self._known[area], self._areas[area]
        now = moment(clock, [known])
        moved = again or known is None or day_of(of.zone, known["ts"]) != day_of(of.zone, ts)
        # Its own ``day`` is a number, as it has always been.
        document = {
            "game": of.game,
            "area": area,
            "plat": of.plat,
            **dates(of.zone, ts),
            **fields(ts, of.zone, now),
        }
        if not again and known is not None and public(known) == document:
            return []
        return [Start(area, known["_v"] if known else 0, document, now, moved)]
