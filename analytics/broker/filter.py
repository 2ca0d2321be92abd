"""The filter bolt: the exact set of records accepted or rejected before, by source.

The sources that were used last are in memory, the others on the disk (:mod:`analytics.broker.quiet`). Nothing is forgotten.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from analytics.broker.wire import BatchHeader, Buffer, Part, SourceState, number_of
from analytics.core.intervals import Intervals, Pair
from analytics.core.numberset import NumberSet

MOST_ACTIVE = 10_000
"""So many sources stay in memory, about 1 KB each without gaps."""
_MOST_GROUPS = 1000
"""Names of configured sources that are counted apart; a sender may name any."""
_OTHERS = "~"


@dataclass(slots=True)
class KnownNumbers:
    """The record numbers of one source. A number is in at most one of the sets: accepted wins."""

    accepted: NumberSet = field(default_factory=NumberSet)
    rejected: NumberSet = field(default_factory=NumberSet)

    def accept(self, ns: Sequence[Pair]) -> int:
        """Add accepted numbers. Return how many of them had been rejected before."""
        self.accepted.update(ns)
        return self.rejected.discard(ns) if self.rejected else 0

    def reject(self, ns: Sequence[Pair]) -> Sequence[Pair]:
        """Add rejected numbers unless they are accepted. Return the new ones."""
        if not ns:
            return ns
        fresh = _minus(_minus(ns, self.accepted), self.rejected)
        self.rejected.update(fresh)
        return fresh

    def counts(self) -> tuple[int, int]:
        return self.accepted.count(), self.rejected.count()


@dataclass(frozen=True, slots=True)
class NewRecords:
    """The new records of a batch: header, bodies, and the numbers of new and repeated records."""

    header: BatchHeader
    bodies: Sequence[Buffer]
    accepted: int
    repeated: int

    def __bool__(self) -> bool:
        return bool(self.header.parts or self.header.ns or self.header.rejected)


class Filter:
    """Every source's known numbers.

    Args:
        stored: returns those of a source that is not in memory, None if it has none.

    Attributes:
        sources: those in memory, the one used last at the end.
    """

    def __init__(self, stored: Callable[[str], KnownNumbers | None] = lambda source: None) -> None:
        self.sources: dict[str, KnownNumbers] = {}
        self._stored = stored
        self._states: dict[str, SourceState] = {}

    def new_records(self, header: BatchHeader, bodies: Sequence[Buffer]) -> NewRecords:
        """Return the new records of a batch and add them. Raise ValueError, without adding any, if it can't be split.

        A batch without ``ns`` passes. If all its records are new, it passes unchanged.
        """
        total = sum(part.count for part in header.parts)
        if not header.ns and not header.rejected:
            return NewRecords(header, bodies, total, 0)
        found = self._known(header.source)
        fresh = _minus(header.ns, found.accepted) if found else header.ns
        new = NewRecords(header, bodies, total, 0)
        if header.ns and fresh != header.ns:
            new = _cut(header, bodies, Intervals(fresh), total)
        rejected = self._add(header.source, found, fresh, header.rejected)
        if rejected != header.rejected:
            kept = BatchHeader(header.source, new.header.ns, new.header.parts, list(rejected))
            new = NewRecords(kept, new.bodies, new.accepted, new.repeated)
        return new

    def note(self, source: str, ns: Sequence[Pair], rejected: Sequence[Pair]) -> None:
        """Add numbers that were accepted and rejected before."""
        known = self._known(source)
        self._add(source, known, _minus(ns, known.accepted) if known else ns, rejected)

    def unknown(self, source: str, ns: Sequence[Pair]) -> list[Pair]:
        """Return which of ``ns`` were not accepted yet."""
        known = self._known(source)
        return list(_minus(ns, known.accepted)) if known else list(ns)

    def put(self, source: str, known: KnownNumbers) -> None:
        """Add a source that was saved."""
        self.sources[source] = known
        self.tally(source, *known.counts())

    def tally(self, source: str, accepted: int, rejected: int, streams: int = 1) -> None:
        """Add to the counts of a configured source."""
        group = source.rpartition("@")[0] or source
        if group not in self._states and len(self._states) >= _MOST_GROUPS:
            group = source.partition("/")[0] + "/" + _OTHERS
        before = self._states.get(group) or SourceState(0, 0, 0)
        self._states[group] = SourceState(
            before.accepted + accepted, before.rejected + rejected, before.streams + streams
        )

    def states(self) -> dict[str, SourceState]:
        """Return the counts of each configured source."""
        return dict(self._states)

    def quiet(self, most: int = MOST_ACTIVE) -> dict[str, KnownNumbers]:
        """Return the sources that were not used for longest, so that ``most`` are left."""
        names = list(self.sources)[: max(0, len(self.sources) - most)]
        return {name: self.sources[name] for name in names}

    def leave(self, sources: Iterable[str]) -> None:
        """Drop sources from memory that were stored."""
        for source in sources:
            del self.sources[source]

    def _known(self, source: str) -> KnownNumbers | None:
        return self.sources.get(source) or self._stored(source)

    def _add(
        self, source: str, found: KnownNumbers | None, fresh: Sequence[Pair], rejected: Sequence[Pair]
    ) -> Sequence[Pair]:
        """Add numbers to what was ``found`` of a source, which is in memory then. Return the rejected ones that are new."""
        known = found or KnownNumbers()
        moved = known.accept(fresh)
        new = known.reject(rejected)
        self.sources.pop(source, None)
        self.sources[source] = known
        self.tally(source, _size(fresh), _size(new) - moved, 0 if found else 1)
        return new


def _size(ns: Iterable[Pair]) -> int:
    return sum(last - first + 1 for first, last in ns)


def _minus(ns: Sequence[Pair], known: NumberSet) -> Sequence[Pair]:
    """Return which of ``ns``, which rise, are not known: ``ns`` itself where none is, as most often."""
    if not ns or known.holds_none(ns[0][0], ns[-1][1]):
        return ns
    return [rest for first, last in ns for rest in known.missing(first, last)]


def _cut(header: BatchHeader, bodies: Sequence[Buffer], fresh: Intervals, total: int) -> NewRecords:
    """Select the lines of each body whose number is in ``fresh``: the slow path, for partial repeats."""
    parts, kept_bodies = [], []
    for part, body in zip(header.parts, bodies, strict=True) if fresh else ():
        kept = [line for line in bytes(body).split(b"\n") if number_of(header.source, line) in fresh]
        if kept:
            parts.append(Part(part.topic, len(kept), len(kept)))
            kept_bodies.append(b"\n".join(kept))
    accepted = sum(part.count for part in parts)
    cut = BatchHeader(header.source, list(fresh), parts, header.rejected)
    return NewRecords(cut, kept_bodies, accepted, total - accepted)
