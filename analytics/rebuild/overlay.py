"""A rebuild that only says what it would do: writes stay in memory, over what is stored."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from typing import Any, Unpack

from analytics.store import Document, Store, Write
from analytics.store.store import AreaBounds, Bounds, Search, Sums, matches, order_in


class Overlay(Store):
    """Reads through to another store; keeps what is written for itself.

    ``written``: per collection and id the documents as they would be; None where one would be gone.
    """

    def __init__(self, below: Store) -> None:
        self._below = below
        self.written: dict[str, dict[str, Document | None]] = {}

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        mine = self.written.get(collection, {})
        found = self._below.load(collection, [one for one in ids if one not in mine])
        for one in ids:
            document = mine.get(one)
            if document is not None:
                found[one] = dict(document)
        return found

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        stored = self.load(collection, [one.id for one in writes if one.expected is not None])
        refused = set()
        for one in writes:
            there = stored.get(one.id)
            if there is not None and (one.expected == 0 or there.get("_v") != one.expected):
                refused.add(one.id)
            else:
                self.written.setdefault(collection, {})[one.id] = {**one.document, "_id": one.id}
        return refused

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        self.written.setdefault(collection, {}).update(dict.fromkeys(ids))

    def remove(self, collection: str, id: str, version: object) -> bool:
        stored = self.load(collection, [id]).get(id)
        if stored is None or stored.get("_v") != version:
            return False
        self.delete(collection, [id])
        return True

    def find(self, collection: str, **search: Unpack[Search]) -> Iterator[Document]:
        kept = self._kept(collection, self._below.find(collection, **search))
        yield from merge(kept, self._written(collection, **search), key=order_in(collection))

    def rows(
        self, collection: str, fields: Sequence[str], *, game: str, **search: Unpack[AreaBounds]
    ) -> Iterator[Document]:
        found = self._below.rows(collection, [*fields, "_id"], game=game, **search)
        for one in chain(self._kept(collection, found), self._written(collection, game=game, **search)):
            yield {name: one[name] for name in fields if name in one}

    def sums(
        self,
        collection: str,
        keys: Sequence[str],
        fields: Sequence[str],
        *,
        game: str,
        **bounds: Unpack[Bounds],
    ) -> Sums:
        if self.written.get(collection):
            return super().sums(collection, keys, fields, game=game, **bounds)
        return self._below.sums(collection, keys, fields, game=game, **bounds)

    def starts(self, collection: str, *, game: str) -> Iterator[tuple[Any, int]]:
        if self.written.get(collection):
            return super().starts(collection, game=game)
        return self._below.starts(collection, game=game)

    def ids(self, collection: str, prefix: str = "") -> Iterator[Any]:
        mine = self.written.get(collection, {})
        kept = (id for id in self._below.ids(collection, prefix) if id not in mine)
        new = sorted(id for id, one in mine.items() if one is not None and id.startswith(prefix))
        yield from merge(kept, new, key=str)

    def collections(self) -> list[str]:
        return self._below.collections()

    def ensure_indexes(self, collections: Iterable[str]) -> None:
        """Do nothing: what is only looked at keeps the indexes that it has."""

    def barrier(self) -> None:
        """Do nothing: what lies below is only read."""

    def ping(self) -> None:
        self._below.ping()

    def close(self) -> None:
        """Do nothing: the store below is its opener's."""

    def _kept(self, collection: str, found: Iterable[Document]) -> Iterator[Document]:
        """Yield what is below and not written here."""
        mine = self.written.get(collection, {})
        return (one for one in found if one["_id"] not in mine)

    def _written(self, collection: str, **search: Unpack[Search]) -> list[Document]:
        """Return what a search finds of what is written here, in order."""
        mine = self.written.get(collection, {}).values()
        found = [dict(one) for one in mine if one is not None and matches(collection, one, search)]
        return sorted(found, key=order_in(collection))
