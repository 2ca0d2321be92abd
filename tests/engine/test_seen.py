"""What is written of records that count."""

from analytics.engine.seen import COLLECTION, SeenRecords
from analytics.store import MemoryStore


class Counting(MemoryStore):
    """Counts the bytes of numbers that are written."""

    written = 0

    def write(self, collection, writes):
        self.written += sum(len(one.document["numbers"]) for one in writes)
        return super().write(collection, writes)


def test_a_batch_writes_little_of_a_source_with_gaps_everywhere() -> None:
    """As of a log that a mapping reads some lines of."""
    store = Counting()
    seen = SeenRecords(store)
    many = 1 << 22
    seen.add({"gamelog/a": [(n, n) for n in range(0, many, 2)]})
    store.written = 0
    seen.add({"gamelog/a": [(many, many)]})
    assert store.written < 1 << 18
    seen.forget()
    assert [*seen.known({"gamelog/a": [(many - 3, many + 1)]})["gamelog/a"]] == [
        (many - 2, many - 2),
        (many, many),
    ]
    assert len(list(store.ids(COLLECTION))) > 1
