"""Deltas in files, portion by portion: between tasks that fold blocks and those that settle areas."""

import pickle
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any
from zlib import crc32

from analytics.core.combine import Deltas, extend
from analytics.engine.context import TaskProcess
from analytics.engine.fold import fold
from analytics.engine.settle import settle_areas
from analytics.engine.tasks import AreaSettled, Extent, Extents, FoldTask, Summary
from analytics.errors import Unavailable


class DeltasLost(Unavailable):
    """A file of deltas is missing, or not what was written. Fold again."""


def write_portions(portions: Mapping[int, Any], path: str) -> dict[int, Extent]:
    """Write what portions have to a file; return where each one's lies. Raise OSError if that is not possible."""
    extents = {}
    with Path(path).open("wb") as file:
        for portion, deltas in portions.items():
            data = pickle.dumps(deltas, protocol=pickle.HIGHEST_PROTOCOL)
            extents[portion] = Extent(path, file.tell(), len(data), sha256(data).digest())
            file.write(data)
    return extents


def load_extent(extent: Extent) -> Any:
    """Return what lies there. Raise DeltasLost if it is not what was written."""
    try:
        with Path(extent.path).open("rb") as file:
            file.seek(extent.offset)
            data = file.read(extent.size)
    except OSError as error:
        raise DeltasLost(f"what a block changes can't be read: {error}") from error
    # Only then is it safe to unpickle, even if others can write to the storage.
    if sha256(data).digest() != extent.digest:
        raise DeltasLost(f"what a block changes, in {extent.path}, is not what was written there")
    return pickle.loads(data)


def fold_block(
    process: TaskProcess, task: FoldTask, number: int, shares: int, path: str
) -> tuple[Summary, Extents]:
    """Fold a block as part of batch ``number``; write its deltas, divided among ``shares`` of the areas, to a file.

    Its name begins with ``path`` and is another one each time, as another process may fold the same block.
    """
    folded = fold(process, task, number)
    divided: dict[int, dict[str, Deltas]] = {}
    for area, deltas in folded.areas.items():
        divided.setdefault(crc32(area.encode()) % shares, {})[area] = deltas
    return folded.summary, write_portions(divided, f"{path}.{token_hex(8)}")


def settle_extents(process: TaskProcess, number: int, extents: Sequence[Extent]) -> list[AreaSettled]:
    """Settle, as part of batch ``number``, the areas whose deltas lie there."""
    areas: dict[str, Deltas] = {}
    for extent in extents:
        found: dict[str, Deltas] = load_extent(extent)
        for area, deltas in found.items():
            extend(areas.setdefault(area, {}), deltas)
    return settle_areas(process, areas, number)
