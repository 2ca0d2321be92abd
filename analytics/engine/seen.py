"""Which records count already, by source: kept in the store, one document for so many numbers of a source.

{"_id": "0:gamelog/area1@4f0c…", "numbers": <roaring bitmap>, "_v": 12}
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from analytics.config import Config
from analytics.core.intervals import Intervals, Pair
from analytics.core.numberset import NumberSet
from analytics.engine.tasks import Names
from analytics.store import Store, Write, open_store

COLLECTION = "engine_seen"

SPAN = 1 << 20
"""Numbers of one document. With gaps everywhere it has a bit for each, 128 kB, and every batch writes the newest one of its sources."""

KEPT = 4_000
"""Documents in memory."""

READ_AT_ONCE = 100

_Numbers = tuple[NumberSet, int]


class SeenRecords:
    """The records that count. Only the driver whose position is the newest may rely on what is in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, _Numbers] = OrderedDict()

    def forget(self) -> None:
        """Read everything again: another driver may have added to it."""
        self._known.clear()

    def known(self, names: Mapping[str, Iterable[Pair]]) -> dict[str, Intervals]:
        """Return which of ``names`` count already, by source."""
        found: dict[str, Intervals] = {}
        asked = dict(_spans(names))
        self._load(asked)
        for id_, (source, pairs) in asked.items():
            numbers, _ = self._known[id_]
            for first, last in pairs:
                if numbers.holds_none(first, last):
                    continue
                there = found.setdefault(source, Intervals())
                there.add(first, last)
                for pair in numbers.missing(first, last):
                    there.discard(*pair)
        self._trim()
        return found

    def everything(self) -> dict[str, NumberSet]:
        """Return all records that count, by source. Nothing of it is kept in memory here."""
        found: dict[str, NumberSet] = {}
        ids = iter(list(self._store.ids(COLLECTION)))
        while some := list(islice(ids, READ_AT_ONCE)):
            for id_, document in self._store.load(COLLECTION, some).items():
                source = id_.partition(":")[2]
                numbers = NumberSet.load(document["numbers"])
                found[source] = found[source].united(numbers) if source in found else numbers
        return found

    def add(self, names: Names) -> None:
        """Let these count, durably. May be called again; after Unavailable, call :meth:`forget` first."""
        waiting = dict(_spans(names))
        while waiting:
            self._load(waiting)
            writes = []
            for id_, (_, pairs) in waiting.items():
                numbers, version = self._known.pop(id_)
                numbers.update(pairs)
                document = {"numbers": numbers.dump(), "updated": datetime.now(UTC), "_v": version + 1}
                writes.append(Write(id_, document, version))
                self._known[id_] = numbers, version + 1
            refused = self._store.write(COLLECTION, writes)
            for id_ in refused:
                del self._known[id_]
            waiting = {id_: waiting[id_] for id_ in refused}
        self._trim()

    def _load(self, ids: Iterable[str]) -> None:
        missing = [id_ for id_ in ids if id_ not in self._known]
        stored = self._store.load(COLLECTION, missing) if missing else {}
        for id_ in ids:
            if id_ in self._known:
                self._known.move_to_end(id_)
            elif id_ in stored:
                self._known[id_] = NumberSet.load(stored[id_]["numbers"]), stored[id_]["_v"]
            else:
                self._known[id_] = NumberSet(), 0

    def _trim(self) -> None:
        while len(self._known) > KEPT:
            self._known.popitem(last=False)


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


def _spans(names: Mapping[str, Iterable[Pair]]) -> Iterator[tuple[str, tuple[str, list[Pair]]]]:
    """Yield documents' ids, each with its source and the numbers that are in it."""
    for source, pairs in names.items():
        spans: dict[int, list[Pair]] = {}
        for first, last in pairs:
            for span in range(first // SPAN, last // SPAN + 1):
                some = max(first, span * SPAN), min(last, (span + 1) * SPAN - 1)
                spans.setdefault(span, []).append(some)
        for span, some_pairs in spans.items():
            yield f"{span}:{source}", (source, some_pairs)
