"""Cutting: from a piece of a journal to its records by topic, each record once. Pure but for the clock of mappings."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics.core.intervals import Intervals, Pair
from analytics.engine.tasks import Names, Summary, UnusableRecord
from analytics.rebuild.journals import JournalLines, by_source, read, topic_of
from analytics.spouts.mapping.lines import plain_journal
from analytics.spouts.rules import Rules
from analytics.spouts.shares import pairs

NOT_A_RECORD = 'expected a record of a journal: a JSON object with "id", "area" and "ts"'


@dataclass(slots=True)
class Cutter:
    """Cuts the pieces of one block.

    Attributes:
        without: records to leave out.
        summary: what was found so far, but for ``names``.
        seen: per source, the records that count.
    """

    journal: str
    rules: Rules
    without: Mapping[str, list[Pair]]
    summary: Summary = field(default_factory=Summary)
    seen: dict[str, Intervals] = field(default_factory=dict)

    def cut(self, piece: bytes) -> dict[str, bytes]:
        """Return the lines of a piece that count, by topic, without a newline at the end."""
        plain = plain_journal(piece, self.rules, int(time.time()))
        for source, rejected in plain.bad.items():
            self.summary.unusable += [UnusableRecord(source, bad.raw, bad.reason, bad.n) for bad in rejected]
        lines = read(plain.block)
        self.summary.unusable += [
            UnusableRecord(self.journal, text, NOT_A_RECORD) for text in lines.unreadable
        ]
        self.summary.lines += len(lines.lines) + len(lines.unreadable)
        topics: dict[str, list[bytes]] = {}
        for place in self._first(lines):
            line = lines.lines[place]
            topics.setdefault(topic_of(lines.sources[place], line), []).append(lines.texts[place])
            if line.ts > self.summary.newest:
                self.summary.newest = line.ts
        for topic, texts in topics.items():
            self.summary.topics[topic] = self.summary.topics.get(topic, 0) + len(texts)
        return {topic: b"\n".join(texts) for topic, texts in topics.items()}

    def names(self) -> Names:
        """Return the records that count."""
        return {source: list(seen) for source, seen in self.seen.items() if seen}

    def _first(self, lines: JournalLines) -> list[int]:
        """Return the places of lines that count: each record once, where it comes first."""
        fresh = {source: self._fresh(source, ns) for source, ns in by_source(lines).items()}
        if sum(one.count() for one in fresh.values()) == len(lines.lines):
            return list(range(len(lines.lines)))
        places = []
        for place, (source, n) in enumerate(zip(lines.sources, lines.numbers, strict=True)):
            if n in fresh[source]:
                fresh[source].discard(n, n)
                places.append(place)
        self.summary.repeated += len(lines.lines) - len(places)
        return places

    def _fresh(self, source: str, ns: list[int]) -> Intervals:
        """Return which of a source's numbers count, and remember them."""
        seen, mine = self.seen.setdefault(source, Intervals()), pairs(list(set(ns)))
        fresh = Intervals(one for pair in mine for one in seen.missing(*pair))
        for pair in self.without.get(source, ()):
            fresh.discard(*pair)
        seen.update(fresh)
        return fresh
