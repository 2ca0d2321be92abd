"""Which records count already, for those who pipe records in: what a broker's filter knows otherwise."""

from collections.abc import Sequence

from analytics.config import Config
from analytics.core.intervals import Intervals, Pair
from analytics.engine.seen import SeenRecords
from analytics.store import open_store


class CountedRecords:
    """The records in committed batches of the engine. Those that are journaled and not counted yet are not among them."""

    def __init__(self, config: Config) -> None:
        self._store = open_store(config)
        self._seen = SeenRecords(self._store)

    def state(self) -> None:
        self._store.ping()

    def unknown(self, source: str, ns: Sequence[Pair]) -> list[Pair]:
        """Return which of a source's record numbers do not count yet. Raise Unavailable if the store does not answer."""
        known = self._seen.known({source: ns}).get(source, Intervals())
        return [pair for first, last in ns for pair in known.missing(first, last)]

    def close(self) -> None:
        self._store.close()


def counted_records(config: Config) -> CountedRecords | None:
    """Return who knows which records count; None: the broker does."""
    return CountedRecords(config) if config.engine.kind else None
