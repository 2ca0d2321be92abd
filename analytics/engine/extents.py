"""Deltas in files, between a task that makes them and those that take them up."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analytics.engine.tasks import Extent, Extents


def write_portions(portions: Mapping[int, Any], path: str) -> Extents:
    """Write what portions have to a file; return where each one's lies."""
    extents = {}
    with Path(path).open("wb") as file:
        for portion, deltas in portions.items():
            data = pickle.dumps(deltas, protocol=pickle.HIGHEST_PROTOCOL)
            extents[portion] = Extent(path, file.tell(), len(data))
            file.write(data)
    return extents


def load_extent(extent: Extent) -> Any:
    """Return what lies there."""
    with Path(extent.path).open("rb") as file:
        file.seek(extent.offset)
        return pickle.loads(file.read(extent.size))
