"""The first half of a batch: a block is read, cut by topic, and folded, without a store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from analytics.core.bolt import Key
from analytics.core.combine import Deltas, combine
from analytics.core.fold import Delta
from analytics.core.intervals import Intervals, Pair
from analytics.core.journal_lines import Line, by_topic
from analytics.engine.blocks import MappingGone, read
from analytics.engine.context import TaskProcess
from analytics.engine.tasks import Folded, FoldTask, Names, Summary, UnusableRecord
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


_decode = msgspec.json.Decoder(Line).decode


def fold(process: TaskProcess, task: FoldTask, number: int) -> Folded:
    """Return what a block changes as part of batch ``number``.

    Raise what :func:`analytics.engine.blocks.read` raises, and MappingGone if it has lines that no mapping reads any more.
    """
    cutter = Cutter(task, process.rules)
    read_by_bolts = {topic for bolt in process.bolts.values() for topic in bolt.reads}
    areas: dict[str, Deltas] = {}
    for piece in read(process.context.shared, task.block):
        topics = cutter.cut(piece)
        _expect_mapped(task, cutter.summary.unmapped)
        for topic, body in topics.items():
            if topic not in read_by_bolts:
                continue
            folded, unusable = process.folder.fold(topic, number, body)
            cutter.summary.unusable += [
                UnusableRecord(_decode(one.line).id.rpartition(":")[0], one.line, one.reason)
                for one in unusable
            ]
            for area, deltas in _by_area(folded):
                combine(areas.setdefault(area, {}), process.bolts, deltas)
    cutter.summary.names = cutter.names()
    return Folded(cutter.summary, areas)


def _expect_mapped(task: FoldTask, unmapped: Mapping[str, str]) -> None:
    """Raise MappingGone where lines of the block need a mapping that is gone: passed over, they would count nowhere."""
    if unmapped:
        raise MappingGone(
            f"{task.block.journal} has lines that are not counted yet, and the configuration has no source "
            f"{', '.join(sorted({*unmapped.values()}))} with a format any more: put it back, restart the node engine, and remove it "
            "after `bin/analytics drain` has returned"
        )


def _by_area(folded: Mapping[str, Mapping[Key, Delta]]) -> Iterator[tuple[str, dict[str, dict[Key, Delta]]]]:
    """Yield what was folded, area by area."""
    areas: dict[str, dict[str, dict[Key, Delta]]] = {}
    for bolt, deltas in folded.items():
        for key, delta in deltas.items():
            areas.setdefault(key[0], {}).setdefault(bolt, {})[key] = delta
    yield from areas.items()
