"""A collection of what people entered: Structs by id, each written once, and removed."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from analytics.errors import AnalyticsError, Unavailable
from analytics.store import Store, Write

DAY_SECONDS = 86_400
AT_ONCE = 500
"""Entries in memory while many are read."""


class UserEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was entered. ``id`` sorts as the entries of its collection are listed."""

    collection: ClassVar[str]
    id: str


T = TypeVar("T", bound=UserEntry)


def random_id() -> str:
    """Return an id that no other entry has."""
    return secrets.token_hex(8)


class Entries(Generic[T]):
    """The entries of one collection.

    Errors: Unavailable if the store does not answer; AnalyticsError where it was opened for reading.
    """

    def __init__(self, store: Any, kind: type[T]) -> None:
        self._store: Store = store
        self._collection = kind.collection
        self._kind = kind

    def add(self, entry: T) -> bool:
        """Store an entry durably. Return whether its id was free."""
        document = msgspec.to_builtins(entry)
        document["_id"] = document.pop("id")
        write = Write(entry.id, {**document, "_v": 1}, 0)
        try:
            return not self._store.write(self._collection, [write])
        except Unavailable:
            # It may have taken effect or not. After the barrier that is known: then it is in the store, as it is, or not at all.
            self._store.barrier()
            return not self._store.write(self._collection, [write]) or self.get(entry.id) == entry

    def remove(self, id: str) -> bool:
        """Remove an entry. Return whether there was one."""
        known = self.get(id) is not None
        self._store.delete(self._collection, [id])
        return known

    def get(self, id: str) -> T | None:
        """Return an entry, None if there is none."""
        found = self._store.load(self._collection, [id])
        return self._read(found[id]) if id in found else None

    def find(self, prefix: str = "", wanted: Callable[[str], bool] = lambda id: True) -> Iterator[T]:
        """Yield the entries whose ids begin with ``prefix`` and are wanted, in order of their ids."""
        return self.load([id for id in self.ids(prefix) if wanted(id)])

    def ids(self, prefix: str = "") -> Iterator[str]:
        """Yield the ids that begin with ``prefix``, in order."""
        return self._store.ids(self._collection, prefix)

    def load(self, ids: Sequence[str]) -> Iterator[T]:
        """Yield the entries of these ids that there are, in their order."""
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            found = self._store.load(self._collection, some)
            yield from (self._read(found[id]) for id in some if id in found)

    def remove_before(self, id: str) -> None:
        """Remove the entries whose ids are less."""
        old = list(takewhile(lambda one: one < id, self.ids()))
        for start in range(0, len(old), AT_ONCE):
            self._store.delete(self._collection, old[start : start + AT_ONCE])

    def _read(self, document: dict[str, object]) -> T:
        fields = {**document, "id": document["_id"]}
        try:
            return msgspec.convert(fields, self._kind)
        except msgspec.ValidationError as error:
            raise AnalyticsError(
                f"{self._collection}: the document {document['_id']!r} was changed by hand: {error}; correct or delete it"
            ) from error
