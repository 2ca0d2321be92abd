"""Tasks whose deltas go through files, portion by portion of the areas."""

from collections.abc import Sequence
from zlib import crc32

from analytics.core.combine import Deltas, extend
from analytics.engine.context import TaskProcess
from analytics.engine.extents import load_extent, write_portions
from analytics.engine.fold import fold
from analytics.engine.settle import settle_areas
from analytics.engine.tasks import AreaSettled, Extent, Extents, FoldTask, Summary


def fold_block(
    process: TaskProcess, task: FoldTask, number: int, shares: int, path: str
) -> tuple[Summary, Extents]:
    """Fold a block as part of batch ``number``; write its deltas, divided among ``shares`` of the areas, to ``path``."""
    folded = fold(process, task, number)
    divided: dict[int, dict[str, Deltas]] = {}
    for area, deltas in folded.areas.items():
        divided.setdefault(crc32(area.encode()) % shares, {})[area] = deltas
    return folded.summary, write_portions(divided, path)


def settle_extents(process: TaskProcess, number: int, extents: Sequence[Extent]) -> list[AreaSettled]:
    """Settle, as part of batch ``number``, the areas whose deltas lie there."""
    areas: dict[str, Deltas] = {}
    for extent in extents:
        found: dict[str, Deltas] = load_extent(extent)
        for area, deltas in found.items():
            extend(areas.setdefault(area, {}), deltas)
    return settle_areas(process, areas, number)
