"""Cutting: from a piece of a journal to its records by topic, each record once. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics.core.intervals import Intervals, Pair
from analytics.core.journal_lines import by_topic
from analytics.engine.tasks import FoldTask, Names, Summary, UnusableRecord
from analytics.spouts.mapping.lines import plain_journal
from analytics.spouts.rules import Rules
from analytics.spouts.shares import pairs


@dataclass(slots=True)
class Cutter:
    """Cuts the pieces of a task's block.

    Attributes:
        summary: what was found so far, but for ``names``.
        seen: per source, the records that count.
    """

    task: FoldTask
    rules: Rules
    summary: Summary = field(default_factory=Summary)
    seen: dict[str, Intervals] = field(default_factory=dict)

    def cut(self, piece: bytes) -> dict[str, bytes]:
        """Return the lines of a piece that count, by topic, without a newline at the end."""
        plain = plain_journal(piece, self.rules, self.task.at)
        summary = self.summary
        for source, rejected in plain.bad.items():
            summary.unusable += [UnusableRecord(source, bad.raw, bad.reason, bad.n) for bad in rejected]
        for source, ns in plain.unused.items():
            summary.unused[source] = summary.unused.get(source, []) + pairs(list(set(ns)))
        summary.unmapped |= plain.unmapped
        found = by_topic(plain.block, self._left_out())
        summary.unusable += [
            UnusableRecord(self.task.block.journal, one.line, one.reason) for one in found.unusable
        ]
        summary.repeated += found.left_out
        summary.newest = max(summary.newest, found.newest)
        for source, numbers in found.numbers.items():
            self.seen.setdefault(source, Intervals()).update(numbers)
        for topic, (count, _) in found.topics.items():
            summary.topics[topic] = summary.topics.get(topic, 0) + count
        summary.lines += (
            len(found.unusable) + found.left_out + sum(count for count, _ in found.topics.values())
        )
        return {topic: body for topic, (_, body) in found.topics.items()}

    def names(self) -> Names:
        """Return the records that count."""
        return {source: list(seen) for source, seen in self.seen.items()}

    def _left_out(self) -> Mapping[str, list[Pair]]:
        """Return per source the records that do not count in the next piece: those to leave out, and those of pieces before."""
        if not self.seen:
            return self.task.without
        left_out = dict(self.task.without)
        for source, seen in self.seen.items():
            both = Intervals(left_out.get(source, ()))
            both.update(seen)
            left_out[source] = list(both)
        return left_out
