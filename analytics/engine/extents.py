"""Deltas in files, between a task that makes them and those that take them up."""

import pickle
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from analytics.engine.tasks import Extent
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
