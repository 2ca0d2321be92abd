"""Documents of timer bolts that no computation comes to. They are found by their ids, and removed.

A changed zone leaves documents at the midnights of before, a clock that was wrong leaves days without facts, and an ``_id`` may
have been changed, or a document made up, by hand. What is under an id that a computation does come to is compared there.
"""

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Any

import gevent

from analytics.core.portions import portions
from analytics.core.segments import Segments
from analytics.runtime.timers.collections import collections_of
from analytics.runtime.timers.documents import Now
from analytics.runtime.timers.game_run import GameComputer
from analytics.runtime.timers.planner import spans
from analytics.runtime.timers.scopes import Scope, day_of, suffixes
from analytics.runtime.timers.wanted import Wanted
from analytics.store import Store
from analytics.store.store import DIVIDED, TOTAL, is_divided, is_total
from analytics.timers import TIMERS
from analytics.timers.facts import COLLECTIONS
from analytics.timers.start import NAME as START
from analytics.timers.timer import first_of

FEW = 20
"""So many documents without facts are removed, where others have facts; more where they are no more than a tenth of all."""

AT_ONCE = 200
LATEST = 32_503_680_000
_ID = re.compile(r"([A-Za-z0-9_-]{1,64}|(?:game|plat|united):.+):(0|[1-9]\d{0,10})", re.DOTALL)
_DIVIDED = re.compile(
    r"((?:[A-Za-z0-9_-]{1,64}|game:[^:]+|(?:plat|united):[^:]+:[^:]*):\d+):([a-z][a-z0-9_]*:.+)", re.DOTALL
)
"""An id of a document of a segment's value: the id of the whole, and what says which value."""

_AREA = re.compile(r"[A-Za-z0-9_-]{1,64}")
Span = tuple[int, int]


class Stray(Enum):
    """Why nothing comes to a document."""

    NO_ID = auto()
    """The suite gives no such id."""
    NO_PERIOD = auto()
    """No day, week or month of its scope's zone begins then."""
    NO_FACTS = auto()
    """Nothing is stored of any day that it looks at."""


class Strays:
    """Removes them.

    What is of no period is kept where the day documents behind it begin at such times, too: those could not be derived again in
    the new zone, so nothing would take its place.

    Attributes:
        removed, kept: per collection, how many.
        spared: per collection, how many were left alone as they are many: the facts may be missing, not the documents wrong.

    Args:
        games: what has computed the documents.
        found: the first and last day of each scope that has facts, as they were before the documents were computed.
        timers: the timer bolts that the configuration has.
    """

    def __init__(
        self,
        store: Store,
        games: GameComputer,
        segments: Segments,
        wanted: Wanted,
        found: Mapping[Scope, Span],
        now: Now,
        timers: Container[str],
    ) -> None:
        self._store = store
        self._areas = games.areas
        self._scopes = {scope.stem: scope for scope in games.scopes}
        self._suffixes = _declared(segments)
        self._facts = games.facts
        self._starts = games.starts
        self._wanted = wanted
        self._spans = found
        self._now = now
        self._timers = timers
        self._elsewhere: dict[str, int] = {}
        self.removed: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.spared: Counter[str] = Counter()

    def remove(self, name: str, collection: str) -> None:
        """Remove those of a timer bolt in one of its collections."""
        candidates: dict[Any, Stray] = {}
        looked = 0
        for n, id_ in enumerate(
            self._store.ids(collection, f"{self._wanted.area}:" if self._wanted.area else "")
        ):
            looked += 1
            if (stray := self._judge(name, collection, id_)) is not None:
                candidates[id_] = stray
            if n % AT_ONCE == 0:
                gevent.sleep(0)
        doubtful = [id_ for id_, stray in candidates.items() if not self._is_certain(collection, id_, stray)]
        most = min(looked // 2, max(FEW, looked // 10))
        if len(doubtful) > most and not self._wanted.remove_many:
            self.spared[collection] += len(doubtful)
            for id_ in doubtful:
                del candidates[id_]
        for some in portions(candidates.items(), AT_ONCE):
            self._remove(name, collection, dict(some))

    def _judge(self, name: str, collection: str, id_: Any) -> Stray | None:
        """Return why nothing comes to a document of that id; None where something does, or it was not asked about."""
        everything = self._wanted.is_everything
        if name == START:
            if not isinstance(id_, str) or not _AREA.fullmatch(id_):
                return Stray.NO_ID if everything else None
            asked = id_ in self._areas and everything
            return Stray.NO_FACTS if asked and self._starts.first(id_) is None else None
        plain, suffix = _parted(collection, id_)
        match = _ID.fullmatch(plain) if isinstance(plain, str) else None
        if match is None or int(match[2]) >= LATEST:
            return Stray.NO_ID if everything else None
        scope = self._scopes.get(match[1])
        if is_total(collection) != (":" in match[1]):
            return Stray.NO_ID if everything else None
        if scope is None:
            # Documents of areas stay where nobody claims them; a total can be computed again.
            return Stray.NO_ID if everything and is_total(collection) else None
        if not self._wanted.includes(scope):
            return None
        if suffix and suffix not in self._suffixes.get(scope.game, ()):
            return Stray.NO_ID
        first, period = day_of(scope.zone, int(match[2])), TIMERS[name].period
        if not self._wanted.holds(first):
            return None
        if name not in self._timers:
            return Stray.NO_ID
        if scope.id_of(first) != plain or first_of(period, first) != first:
            return Stray.NO_PERIOD
        begin, end = self._spans.get(scope, (1, 0))
        return None if first_of(period, begin) <= first <= end else Stray.NO_FACTS

    def _is_certain(self, collection: str, id_: Any, stray: Stray) -> bool:
        """Whether a document is wrong even where facts have been lost."""
        return stray is Stray.NO_ID or (
            stray is Stray.NO_PERIOD and self._scope_of(collection, id_) in self._spans
        )

    def _scope_of(self, collection: str, id_: str) -> Scope:
        return self._scopes[_parted(collection, id_)[0].rpartition(":")[0]]

    def _remove(self, name: str, collection: str, some: Mapping[Any, Stray]) -> None:
        """Remove documents, if they are what they were when it was still clear that nothing comes to them."""
        documents = self._store.load(collection, list(some))
        facts = self._facts_now(
            name, collection, [id_ for id_, stray in some.items() if stray is Stray.NO_FACTS]
        )
        for id_, document in documents.items():
            if id_ in facts:
                continue
            if some[id_] is Stray.NO_PERIOD and self._begins_elsewhere(collection, id_):
                self.kept[collection] += 1
            elif self._store.remove(collection, id_, document.get("_v")):
                self.removed[collection] += 1
        gevent.sleep(0)

    def _facts_now(self, name: str, collection: str, ids: Sequence[str]) -> set[str]:
        """Return those of the ids for which there are facts meanwhile."""
        if name == START:
            return {id_ for id_ in ids if self._starts.first(id_) is not None}
        scopes = {self._scope_of(collection, id_) for id_ in ids}
        self._spans = {**self._spans, **dict.fromkeys(scopes, (1, 0))}
        self._spans |= spans(self._facts, list(scopes), TIMERS.values(), int(self._now()))
        return {id_ for id_ in ids if self._judge(name, collection, id_) is None}

    def _begins_elsewhere(self, collection: str, id_: str) -> bool:
        """Whether day documents of a scope, of that time or later, begin at no day of their area's zone."""
        ts = int(_parted(collection, id_)[0].rpartition(":")[2])
        return any(ts <= self._last_elsewhere(area) for area in self._scope_of(collection, id_).areas)

    def _last_elsewhere(self, area: str) -> int:
        """Return the latest of those times, 0 where there is none."""
        if area not in self._elsewhere:
            zone = self._areas[area].zone
            found = (
                int(match[2])
                for name in COLLECTIONS.values()
                for id_ in self._store.ids(name, f"{area}:")
                if (match := _ID.fullmatch(id_)) and int(match[2]) < LATEST
            )
            self._elsewhere[area] = max((ts for ts in found if zone.start("day", ts) != ts), default=0)
        return self._elsewhere[area]


def remove_undeclared(
    store: Store, scopes: Iterable[Scope], segments: Segments, check: Callable[[], None]
) -> None:
    """Remove documents of values that no segment of their game has any more.

    ``check``: called after versions were read; raises Overtaken. An instance that was stalled may have an older configuration.
    """
    games, declared = {scope.stem: scope.game for scope in scopes}, _declared(segments)
    for name in TIMERS:
        for collection in (f"{name}{DIVIDED}", f"{name}{DIVIDED}{TOTAL}"):
            gone = []
            for id_ in store.ids(collection):
                plain, suffix = _parted(collection, id_)
                game = games.get(plain.rpartition(":")[0]) if plain else None
                if game is not None and suffix not in declared.get(game, ()):
                    gone.append(id_)
            _remove(store, collection, gone, check)


def remove_united(store: Store, check: Callable[[], None]) -> None:
    """Remove all documents of united areas, since these consist of other areas now. ``check``: see :func:`remove_undeclared`."""
    for name in TIMERS:
        for collection in (f"{name}{TOTAL}", f"{name}{DIVIDED}{TOTAL}"):
            _remove(store, collection, list(store.ids(collection, "united:")), check)


def remove_all(store: Store, names: Iterable[str], check: Callable[[], None]) -> None:
    """Remove all documents of timer bolts that the configuration has no more. ``check``: see :func:`remove_undeclared`."""
    for name in names:
        for collection in collections_of(name):
            _remove(store, collection, list(store.ids(collection)), check)


def _remove(store: Store, collection: str, ids: Sequence[Any], check: Callable[[], None]) -> None:
    for some in portions(ids, AT_ONCE):
        documents = store.load(collection, some)
        check()
        for id_, document in documents.items():
            store.remove(collection, id_, document.get("_v"))
        gevent.sleep(0)


def _declared(segments: Segments) -> dict[str, set[str]]:
    """Return, by game, how the ids of documents of its segments end."""
    return {game: {suffix for one in some for suffix in suffixes(one)} for game, some in segments.items()}


def _parted(collection: str, id_: Any) -> tuple[Any, str]:
    """Return an id without what says which value of a segment it is of, and that; "" where it is of none.

    In a collection of such documents an id that says none is no id.
    """
    if not is_divided(collection):
        return id_, ""
    match = _DIVIDED.fullmatch(id_) if isinstance(id_, str) else None
    return (match[1], match[2]) if match else (None, "")
