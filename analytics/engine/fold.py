"""The first half of a batch: a block is read, cut by topic, and folded, without a store."""

from collections.abc import Iterator, Mapping

import msgspec

from analytics.core.bolt import Key
from analytics.core.combine import Deltas, combine
from analytics.core.fold import Delta
from analytics.core.journal_lines import Line
from analytics.engine.blocks import MappingGone, read
from analytics.engine.context import TaskProcess
from analytics.engine.cut import Cutter
from analytics.engine.tasks import Folded, FoldTask, UnusableRecord

_decode = msgspec.json.Decoder(Line).decode


def fold(process: TaskProcess, task: FoldTask, number: int) -> Folded:
    """Return what a block changes as part of batch ``number``.

    Raises:
        JournalGone, Unavailable: as :func:`analytics.engine.blocks.read`.
        MappingGone: it has lines that no mapping reads any more.
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


def _by_area(
    folded: Mapping[str, Mapping[Key, Delta]],
) -> Iterator[tuple[str, dict[str, dict[Key, Delta]]]]:
    """Yield what was folded, area by area."""
    areas: dict[str, dict[str, dict[Key, Delta]]] = {}
    for bolt, deltas in folded.items():
        for key, delta in deltas.items():
            areas.setdefault(key[0], {}).setdefault(bolt, {})[key] = delta
    yield from areas.items()
