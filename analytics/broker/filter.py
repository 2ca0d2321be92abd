"""The filter bolt: the exact set of records accepted or rejected before, as intervals per source."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analytics.broker.wire import BatchHeader, Part, SourceState, number_of
from analytics.core.intervals import Intervals, Pair

Buffer = bytes | memoryview


@dataclass(slots=True)
class KnownNumbers:
    """The record numbers of one source. A number is in at most one of the sets: accepted wins."""

    accepted: Intervals = field(default_factory=Intervals)
    rejected: Intervals = field(default_factory=Intervals)

    def accept(self, ns: Iterable[Pair]) -> None:
        """Add accepted numbers, which may have been rejected before."""
        for first, last in ns:
            self.accepted.add(first, last)
            if self.rejected:
                self.rejected.discard(first, last)

    def reject(self, ns: Iterable[Pair]) -> list[Pair]:
        """Add rejected numbers unless they are accepted. Return the new ones."""
        fresh = _minus(_minus(ns, self.accepted), self.rejected)
        self.rejected.update(fresh)
        return fresh


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
    """Every source's known numbers."""

    def __init__(self) -> None:
        self.sources: dict[str, KnownNumbers] = {}

    def new_records(self, header: BatchHeader, bodies: Sequence[Buffer]) -> NewRecords:
        """Return the new records of a batch and add them. Raise ValueError, without adding any, if it can't be split.

        A batch without ``ns`` passes. If all its records are new, it passes unchanged.
        """
        total = sum(part.count for part in header.parts)
        if not header.ns and not header.rejected:
            return NewRecords(header, bodies, total, 0)
        known = self.sources.get(header.source) or KnownNumbers()
        fresh = _minus(header.ns, known.accepted)
        new = NewRecords(header, bodies, total, 0)
        if header.ns and fresh != header.ns:
            new = _cut(header, bodies, Intervals(fresh), total)
        known.accept(fresh)
        rejected = known.reject(header.rejected)
        self.sources[header.source] = known
        if rejected != header.rejected:
            kept = BatchHeader(header.source, new.header.ns, new.header.parts, rejected)
            new = NewRecords(kept, new.bodies, new.accepted, new.repeated)
        return new

    def note(self, source: str, ns: Iterable[Pair], rejected: Iterable[Pair]) -> None:
        """Add numbers that were accepted and rejected before."""
        known = self.sources.setdefault(source, KnownNumbers())
        known.accept(ns)
        known.reject(rejected)

    def unknown(self, source: str, ns: Iterable[Pair]) -> list[Pair]:
        """Return which of ``ns`` were not accepted yet."""
        known = self.sources.get(source)
        return _minus(ns, known.accepted) if known else list(ns)

    def states(self) -> dict[str, SourceState]:
        """Return each source's counts."""
        return {source: _state(known) for source, known in self.sources.items()}


def _state(known: KnownNumbers) -> SourceState:
    last = max(known.accepted.last(), known.rejected.last())
    gaps = known.accepted.gaps() + known.rejected.gaps()
    return SourceState(known.accepted.count(), known.rejected.count(), last, gaps)


def _minus(ns: Iterable[Pair], known: Intervals) -> list[Pair]:
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
