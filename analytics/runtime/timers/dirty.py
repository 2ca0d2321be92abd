"""What has changed since the timer bolts last ran: which area-days, and by how many tuples; never the tuples."""

from collections import Counter
from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from analytics.broker.wire import Message
from analytics.core.areas import Areas
from analytics.core.bolt import CHANGES
from analytics.core.segments import PROPERTIES
from analytics.core.tuples import UNDECODABLE, PeriodStart
from analytics.runtime.timers.scopes import day_of
from analytics.timers.facts import COLLECTIONS, HOURLY, Changing

T = TypeVar("T")

KINDS: dict[str, Changing] = {
    **{name: kind for kind, name in (*COLLECTIONS.items(), *HOURLY.items())},
    PROPERTIES: "segment",
}


class Changed(msgspec.Struct, gc=False):
    """What counts of a bolt's tuple here."""

    area: str
    ts: PeriodStart
    tuples: int = 0
    first_ts: int | None = None


class Mark(msgspec.Struct, gc=False):
    """A tuple of the topic ``changes``: documents of ``bolt`` in ``game`` that begin at these times have changed, or are gone.

    ``area``: whose they are, if that matters to a reader.
    """

    bolt: str
    game: str
    ts: list[PeriodStart]
    area: str = ""


_decoder = msgspec.json.Decoder(Changed)
_marks = msgspec.json.Decoder(Mark)


@dataclass
class Dirty:
    """What changed.

    Attributes:
        days: per kind of fact, area and day the number of incoming tuples.
        starts: per area the earliest ``first_ts`` that was reported.
        start_tuples: per area the tuples that reported it.
        totals: per bolt with totals and game, when periods begin whose documents have changed.
        everything: whether nobody knows what has changed, so that all may have.
        unknown: areas that no game of the configuration claims, which are left alone.
    """

    days: Counter[tuple[Changing, str, int]] = field(default_factory=Counter)
    starts: dict[str, int] = field(default_factory=dict)
    start_tuples: Counter[str] = field(default_factory=Counter)
    totals: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    everything: bool = False
    unknown: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether anything is known to have changed."""
        return bool(self.days or self.starts or self.totals)

    def note(self, message: Message, areas: Areas, with_totals: Container[str]) -> None:
        """Take up a message of a bolt. ``with_totals``: the bolts that have totals."""
        if message.topic == CHANGES:
            for mark in _read(_marks, message.body):
                if mark.bolt in with_totals:
                    self.totals.setdefault((mark.bolt, mark.game), set()).update(mark.ts)
                if mark.bolt in KINDS and mark.area in areas:
                    # Documents that were removed have no tuples of their own.
                    kind, local = KINDS[mark.bolt], areas[mark.area].zone
                    self.days.update({(kind, mark.area, day_of(local, ts)): 0 for ts in mark.ts})
            return
        for changed in _read(_decoder, message.body):
            if changed.area not in areas:
                self.unknown.add(changed.area)
                continue
            if message.topic in with_totals:
                self.totals.setdefault((message.topic, areas[changed.area].game), set()).add(changed.ts)
            if message.topic in KINDS:
                day = day_of(areas[changed.area].zone, changed.ts)
                self.days[KINDS[message.topic], changed.area, day] += changed.tuples
            elif changed.first_ts is not None:
                known = self.starts.get(changed.area, changed.first_ts)
                self.starts[changed.area] = min(known, changed.first_ts)
                self.start_tuples[changed.area] += changed.tuples

    def by_area(self) -> dict[str, Counter[tuple[Changing, int]]]:
        """Return the changed days per area."""
        result: dict[str, Counter[tuple[Changing, int]]] = {}
        for (kind, area, day), tuples in self.days.items():
            result.setdefault(area, Counter())[kind, day] += tuples
        return result

    def add(self, other: "Dirty") -> None:
        """Take up what another one knows."""
        self.days.update(other.days)
        for area, ts in other.starts.items():
            self.starts[area] = min(ts, self.starts.get(area, ts))
        self.start_tuples.update(other.start_tuples)
        for key, starts in other.totals.items():
            self.totals.setdefault(key, set()).update(starts)
        self.everything |= other.everything
        self.unknown |= other.unknown


def _read(decoder: msgspec.json.Decoder[T], body: bytes) -> Iterable[T]:
    """Return a message's tuples. A line that is none is a bolt's fault and can't be repaired here."""
    try:
        return decoder.decode_lines(body)
    except UNDECODABLE:
        found = []
    for line in filter(bytes.strip, body.split(b"\n")):
        with suppress(*UNDECODABLE):
            found.append(decoder.decode(line))
    return found
