"""A rebuild that only says what it would do: writes stay in memory, over what is stored."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from typing import Any

from analytics.store import Document, Store, Write
from analytics.store.store import is_total


class Overlay(Store):
    """Reads through to another store; keeps what is written for itself.

    Attributes:
        written: per collection and id the documents as they would be; None where one would be gone.
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

    def find(
        self,
        collection: str,
        *,
        area: str | None = None,
        game: str | None = None,
        since: int | None = None,
        until: int | None = None,
        batch: int = 500,
    ) -> Iterator[Document]:
        mine = self.written.get(collection, {})
        first = "game" if is_total(collection) else "area"
        below = self._below.find(collection, area=area, game=game, since=since, until=until, batch=batch)
        new = [
            dict(one)
            for one in mine.values()
            if one is not None
            and first in one
            and area in (None, one.get("area"))
            and game in (None, one.get("game"))
            and _is_within(one, since, until)
        ]
        kept = (one for one in below if one["_id"] not in mine)

        def place(document: Document) -> tuple[str, Any]:
            ts = document.get("ts")
            return document[first], ts if isinstance(ts, int | float) else 0

        yield from merge(kept, sorted(new, key=place), key=place)

    def rows(
        self,
        collection: str,
        fields: Sequence[str],
        *,
        game: str,
        area: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Iterator[Document]:
        mine = self.written.get(collection, {})
        found = self._below.rows(collection, [*fields, "_id"], game=game, area=area, since=since, until=until)
        kept = (one for one in found if one["_id"] not in mine)
        new = (
            one
            for one in mine.values()
            if one is not None and one.get("game") == game and area in (None, one.get("area"))
        )
        for one in chain(kept, (one for one in new if _is_within(one, since, until))):
            yield {name: one[name] for name in fields if name in one}

    def sums(
        self,
        collection: str,
        keys: Sequence[str],
        fields: Sequence[str],
        *,
        game: str,
        since: int | None = None,
        until: int | None = None,
    ) -> Iterator[tuple[tuple[Any, ...], tuple[float, ...]]]:
        if self.written.get(collection):
            yield from super().sums(collection, keys, fields, game=game, since=since, until=until)
        else:
            yield from self._below.sums(collection, keys, fields, game=game, since=since, until=until)

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


def _is_within(document: Document, since: int | None, until: int | None) -> bool:
    ts = document.get("ts")
    return (since is None and until is None) or (
        isinstance(ts, int) and (since is None or since <= ts) and (until is None or ts < until)
    )
