"""The filter bolt: which records were accepted or rejected before, exactly, kept as intervals per source."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analytics.broker.wire import BatchHeader, Part, SourceState, number_of
from analytics.core.intervals import Intervals, Pair

Buffer = bytes | memoryview


@dataclass(slots=True)
class Known:
    """The record numbers of one source. A number is in one of the sets at most: accepted wins."""

    accepted: Intervals = field(default_factory=Intervals)
    rejected: Intervals = field(default_factory=Intervals)

    def accept(self, ns: Iterable[Pair]) -> None:
        """Note numbers as accepted, whatever they were before."""
        for first, last in ns:
            self.accepted.add(first, last)
            if self.rejected:
                self.rejected.discard(first, last)

    def reject(self, ns: Iterable[Pair]) -> list[Pair]:
        """Note numbers as rejected unless they were accepted. Return those that are new."""
        fresh = _minus(_minus(ns, self.accepted), self.rejected)
        self.rejected.update(fresh)
        return fresh


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is new of a batch: its header and bodies, and how many records that is and is not."""

    header: BatchHeader
    bodies: Sequence[Buffer]
    accepted: int
    repeated: int

    def __bool__(self) -> bool:
        return bool(self.header.parts or self.header.ns or self.header.rejected)


class Filter:
    """Every source's known numbers."""

    def __init__(self) -> None:
        self.sources: dict[str, Known] = {}

    def sift(self, header: BatchHeader, bodies: Sequence[Buffer]) -> Sifted:
        """Return what is new of a batch and note it. Raise ValueError, noting nothing, if it can't be cut.

        A batch without ``ns`` passes. One that is all new passes as it is, its bodies untouched.
        """
        total = sum(part.count for part in header.parts)
        if not header.ns and not header.rejected:
            return Sifted(header, bodies, total, 0)
        known = self.sources.get(header.source) or Known()
        fresh = _minus(header.ns, known.accepted)
        sifted = Sifted(header, bodies, total, 0)
        if header.ns and fresh != header.ns:
            sifted = _cut(header, bodies, Intervals(fresh), total)
        known.accept(fresh)
        rejected = known.reject(header.rejected)
        self.sources[header.source] = known
        if rejected != header.rejected:
            kept = BatchHeader(header.source, sifted.header.ns, sifted.header.parts, rejected)
            sifted = Sifted(kept, sifted.bodies, sifted.accepted, sifted.repeated)
        return sifted

    def note(self, source: str, ns: Iterable[Pair], rejected: Iterable[Pair]) -> None:
        """Take up what was accepted and rejected before."""
        known = self.sources.setdefault(source, Known())
        known.accept(ns)
        known.reject(rejected)

    def unknown(self, source: str, ns: Iterable[Pair]) -> list[Pair]:
        """Return which of ``ns`` were not accepted yet."""
        known = self.sources.get(source)
        return _minus(ns, known.accepted) if known else list(ns)

    def states(self) -> dict[str, SourceState]:
        """Return each source's counts."""
        return {source: _state(known) for source, known in self.sources.items()}


def _state(known: Known) -> SourceState:
    last = max((pair[1] for numbers in (known.accepted, known.rejected) for pair in numbers), default=0)
    gaps = known.accepted.gaps() + known.rejected.gaps()
    return SourceState(known.accepted.count(), known.rejected.count(), last, gaps)


def _minus(ns: Iterable[Pair], known: Intervals) -> list[Pair]:
    return [rest for first, last in ns for rest in known.missing(first, last)]


def _cut(header: BatchHeader, bodies: Sequence[Buffer], fresh: Intervals, total: int) -> Sifted:
    """Keep of each body the lines whose number is in ``fresh``: the slow path, for partial repeats."""
    parts, kept_bodies = [], []
    for part, body in zip(header.parts, bodies, strict=True) if fresh else ():
        kept = [line for line in bytes(body).split(b"\n") if number_of(header.source, line) in fresh]
        if kept:
            parts.append(Part(part.topic, len(kept), len(kept)))
            kept_bodies.append(b"\n".join(kept))
    accepted = sum(part.count for part in parts)
    cut = BatchHeader(header.source, list(fresh), parts, header.rejected)
    return Sifted(cut, kept_bodies, accepted, total - accepted)
