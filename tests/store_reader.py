"""A reader that computes in Python what others ask the server for: the reference for them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from analytics.store.reading import Query, Reader
from analytics.store.store import Document, Store, summed


class StoreReader(Reader):
    """Reads any store through :meth:`Store.find` and computes the rest: the reference for other readers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(
        self,
        query: Query,
        fields: Sequence[str],
        *,
        by: str = "",
        descending: bool = False,
        limit: int = 0,
        skip: int = 0,
    ) -> Iterator[Document]:
        found: Iterator[Document] = (
            document
            for document in self._store.find(
                query.collection, game=query.game, since=query.since, until=query.until
            )
            if is_found(query, document)
        )
        if by:
            found = iter(sorted(found, key=lambda document: document[by], reverse=descending))
        for document in islice(found, skip, skip + limit if limit else None):
            yield {name: document[name] for name in fields if name in document}

    def sums(
        self, query: Query, keys: Sequence[str], fields: Sequence[str], *, most: int = 0
    ) -> Iterator[tuple[tuple[Any, ...], tuple[float, ...]]]:
        found = summed(self.find(query, [*keys, *fields]), keys, fields)
        return iter(sorted(found, key=lambda one: (-one[1][0], one[0]))[:most]) if most else found

    def close(self) -> None:
        """Do nothing: the store belongs to its owner."""


def is_found(query: Query, document: Document) -> bool:
    """Whether a query finds a document."""
    ts = document.get("ts", 0)
    return (
        document.get("game") == query.game
        and query.scope in ("", document.get("scope"))
        and (not query.areas or document.get("area") in query.areas)
        and (bool(query.areas) or query.scope not in ("", "plat") or query.plat in ("", document.get("plat")))
        and (query.since is None or query.since <= ts)
        and (query.until is None or ts < query.until)
        and (query.at_least is None or document.get(query.at_least[0], 0) >= query.at_least[1])
        and all(document.get(name) in values for name, values in query.where)
    )
