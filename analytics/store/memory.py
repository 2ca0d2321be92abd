"""A store in memory, for tests, dry runs and the reference: the same rules, no disk."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Unpack

from analytics.store.encoding import decode, encode
from analytics.store.store import Document, Search, Store, Write, matches, order_in

SEARCHED = ("area", "game", "ts", "_v")


class Stored(bytes):
    """A document as BSON, and beside it the fields by which documents are searched: to decode all of them takes long."""

    def __new__(cls, raw: bytes, document: Document) -> "Stored":
        made = super().__new__(cls, raw)
        made.fields = {name: document[name] for name in SEARCHED if name in document}
        return made

    fields: Document


class MemoryStore(Store):
    """Stores each document as BSON. So it refuses what MongoDB would refuse, and shares no object with its callers."""

    def __init__(self) -> None:
        self._collections: dict[str, dict[str, Stored]] = {}

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        stored = self._collections.get(collection, {})
        return {id: decode(stored[id]) for id in ids if id in stored}

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        encoded = encode(collection, writes)
        stored = self._collections.setdefault(collection, {})
        conflicts = set()
        for write, raw in zip(writes, encoded, strict=True):
            if _conflicts(stored.get(write.id), write.expected):
                conflicts.add(write.id)
            else:
                stored[write.id] = Stored(raw, write.document)
        return conflicts

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        stored = self._collections.get(collection, {})
        for id in ids:
            stored.pop(id, None)

    def remove(self, collection: str, id: str, version: object) -> bool:
        stored = self._collections.get(collection, {})
        if id not in stored or stored[id].fields.get("_v") != version:
            return False
        del stored[id]
        return True

    def find(self, collection: str, **search: Unpack[Search]) -> Iterator[Document]:
        stored, place = self._collections.get(collection, {}).values(), order_in(collection)
        found = [one for one in stored if matches(collection, one.fields, search)]
        yield from map(decode, sorted(found, key=lambda one: place(one.fields)))

    def ids(self, collection: str, prefix: str = "") -> Iterator[Any]:
        listed = list(self._collections.get(collection, {}))
        yield from sorted((id for id in listed if not prefix or str(id).startswith(prefix)), key=str)

    def collections(self) -> list[str]:
        return sorted(self._collections)

    def ensure_indexes(self, collections: Iterable[str]) -> None:
        """Do nothing: searches read all documents."""

    def barrier(self) -> None:
        """Do nothing: writes take effect at once."""

    def ping(self) -> None:
        """Do nothing: memory always answers."""

    def close(self) -> None:
        """Do nothing: the documents go with the object."""


class CountingStore(MemoryStore):
    """Accepts every write and saves nothing, for benchmarks of everything before the store. ``documents``: how many, by collection."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: Counter[str] = Counter()

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        self.documents[collection] += len(writes)
        return set()

    def collections(self) -> list[str]:
        return sorted(self.documents)


def _conflicts(stored: Stored | None, expected: int | None) -> bool:
    if stored is None or expected is None:
        return False
    return expected == 0 or stored.fields.get("_v") != expected
