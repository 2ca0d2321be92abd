"""Notes about documents, beside the positions of their bolts: in the collection ``positions``, ``{"_id": "declared:pvp", …}``."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

from analytics.store import POSITIONS, Store, Write

T = TypeVar("T", bound=msgspec.Struct)


class PositionNotes(Generic[T]):
    """The notes of one kind, by the names that they are about. Every method raises Unavailable where the store does not answer."""

    def __init__(self, store: Store, kind: str, fields: type[T]) -> None:
        self._store = store
        self._kind = kind
        self._fields = fields

    def load(self, names: Iterable[str]) -> dict[str, T]:
        """Return the notes that there are."""
        ids = {self._id(name): name for name in names}
        found = self._store.load(POSITIONS, list(ids))
        return {ids[id_]: msgspec.convert(one, self._fields, strict=False) for id_, one in found.items()}

    def save(self, notes: Mapping[str, T], expected: int | None = None) -> None:
        """Write notes, whatever was noted before; with ``expected`` 0 only where nothing was."""
        writes = [
            Write(self._id(name), {**msgspec.to_builtins(note), "_v": 1}, expected)
            for name, note in notes.items()
        ]
        if writes:
            self._store.write(POSITIONS, writes)

    def remove(self, names: Iterable[str]) -> None:
        """Remove notes, where there are any."""
        self._store.delete(POSITIONS, list(map(self._id, names)))

    def _id(self, name: str) -> str:
        return f"{self._kind}:{name}"
