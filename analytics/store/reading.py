"""Reading for the dashboard: selected fields, sums and newest documents, without a way to write.

Every search uses one of the documented indexes: (area, ts), (game, ts), ts, or those that a bolt declares instead.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from analytics.errors import AnalyticsError
from analytics.store.store import Document, Search, Store, Sums, Write


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents: of these areas, of a game or a plat of it, or in a collection of totals of a whole.

    Values are strings and numbers, so they can't be taken for operators.

    Attributes:
        areas: ids; empty: all areas of the game.
        scope: in a collection of totals what its documents have as ``scope``.
        since, until: ``since <= ts < until``; None: documents have no ``ts``, or it does not matter.
        at_least: an indexed field other than ``ts``, and the least that it may be.
        where: further fields, and the values that each may have.
    """

    collection: str
    game: str
    plat: str = ""
    areas: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    at_least: tuple[str, float] | None = None
    scope: str = ""
    where: tuple[tuple[str, tuple[str | int, ...]], ...] = ()

    def indexed(self) -> Document:
        """Return the part of the filter that an index serves: one field by equality, one by range."""
        wanted: Document = {"game": str(self.game)}
        if self.scope == "plat":
            wanted["plat"] = str(self.plat)
        elif self.scope:
            wanted["scope"] = str(self.scope)
        if self.areas:
            ids = [str(area) for area in self.areas]
            wanted = {"area": ids[0] if len(ids) == 1 else {"$in": ids}}
        span = {"$gte": self.since, "$lt": self.until}
        if bounds := {name: int(bound) for name, bound in span.items() if bound is not None}:
            wanted["ts"] = bounds
        if self.at_least is not None:
            wanted[self.at_least[0]] = {"$gte": float(self.at_least[1])}
        return wanted

    def rest(self) -> Document:
        """Return the rest of the filter. An area's id implies its game and plat."""
        wanted: Document = {"plat": str(self.plat)} if self.plat and not self.areas and not self.scope else {}
        return wanted | {name: {"$in": [_plain(value) for value in values]} for name, values in self.where}


def _plain(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)


class Reader(ABC):
    """Reads documents, parts never. Every method may be called from many greenlets at once.

    Errors: Unavailable if a retry may help, otherwise AnalyticsError.
    """

    @abstractmethod
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
        """Yield the documents that ``query`` finds, with only these ``fields``.

        Args:
            by: ``ts`` or another indexed field to sort by; "": in no order.
            limit: the most documents; 0: all.
            skip: how many to leave out first. The server reads them, too.
        """

    @abstractmethod
    def sums(self, query: Query, keys: Sequence[str], fields: Sequence[str], *, most: int = 0) -> Sums:
        """Yield, for each different value of the fields ``keys``, the sums of ``fields`` (0 if one is missing).

        ``most``: only so many, those with the highest sum of the first of ``fields``, highest first; 0: all, in no order.
        """

    @abstractmethod
    def close(self) -> None:
        """Close connections."""


class ReadOnly(Store):
    """A store that refuses writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        return self._store.load(collection, ids)

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        raise AnalyticsError(f"{collection}: can't write: this store was opened for reading")

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        raise AnalyticsError(f"{collection}: can't delete: this store was opened for reading")

    def remove(self, collection: str, id: str, version: object) -> bool:
        raise AnalyticsError(f"{collection}: can't remove: this store was opened for reading")

    def find(self, collection: str, **search: Unpack[Search]) -> Iterator[Document]:
        return self._store.find(collection, **search)

    def ids(self, collection: str, prefix: str = "") -> Iterator[Any]:
        return self._store.ids(collection, prefix)

    def collections(self) -> list[str]:
        return self._store.collections()

    def ensure_indexes(self, collections: Iterable[str]) -> None:
        raise AnalyticsError("can't create an index: this store was opened for reading")

    def barrier(self) -> None:
        raise AnalyticsError("can't write a barrier: this store was opened for reading")

    def ping(self) -> None:
        self._store.ping()

    def close(self) -> None:
        self._store.close()
