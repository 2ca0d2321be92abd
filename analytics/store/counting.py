"""A store that only counts its documents, for benchmarks of everything before the store."""

from collections import Counter
from collections.abc import Sequence

from analytics.store.memory import MemoryStore
from analytics.store.store import Write


class CountingStore(MemoryStore):
    """Accepts every write and saves nothing. ``documents`` has the number of documents by collection."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: Counter[str] = Counter()

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        self.documents[collection] += len(writes)
        return set()

    def collections(self) -> list[str]:
        return sorted(self.documents)
