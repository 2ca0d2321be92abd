"""A store that only counts its documents, for benchmarks of everything before the store."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from analytics.store.store import Document, Store, Write


class CountingStore(Store):
    """Accepts every write and saves nothing. ``documents`` has the number of documents by collection."""

    def __init__(self) -> None:
        self.documents: Counter[str] = Counter()

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        """Return nothing, ever."""
        return {}

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        self.documents[collection] += len(writes)
        return set()

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Do nothing."""

    def remove(self, collection: str, id: str, version: object) -> bool:
        """Find nothing to remove."""
        return False

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
        """Yield nothing."""
        return iter(())

    def ids(self, collection: str, prefix: str = "") -> Iterator[Any]:
        """Yield nothing."""
        return iter(())

    def collections(self) -> list[str]:
        return sorted(self.documents)

    def ensure_indexes(self, collections: Iterable[str]) -> None:
        """Do nothing."""

    def barrier(self) -> None:
        """Do nothing."""

    def ping(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
