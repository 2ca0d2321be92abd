"""From folded changes to documents in a store, and the tuples that follow from them. Knows no machinery.

    settle ──▶ parts ──▶ document, if its version is as known ──▶ tuples
                              │ refused: load it again, fold in what it lacks
                              └──────────────────────────────────────▶ again

A document that is older than what was acknowledged is never written over: LostWrites is raised.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count, islice
from typing import Any, NamedTuple, Protocol

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.cache import Cache, Periods
from analytics.core.document import EMPTIED, dates_of
from analytics.core.fold import Delta
from analytics.core.settle import Fields, Known, Position, Settled, Step, known, part_ids, settle, unknown
from analytics.errors import AnalyticsError

DOCUMENTS_AT_FIRST = 10
"""In a portion, before the size of a bolt's documents is known."""

DOCUMENTS_AT_ONCE = 500
"""In a portion: one bulk write."""

SAMPLE = 8
"""So many of the documents that a bolt wrote last are named in its position: a majority of them would show a loss."""

Written = dict[str, tuple[int, float]]
"""Per id of a document the version that was written, and when, in Unix seconds."""

Changed = Sequence[tuple[Key, list[Delta]]]
"""Documents of one bolt, by key, and all that changes in each."""


class Write(NamedTuple):
    """Replace the document ``id`` by ``document``, if the condition holds.

    Args:
        document: the whole new document; its ``_id`` may be left out.
        expected: the ``_v`` that the stored document must have. 0: it must not exist. None: no condition,
            for documents that carry no ``_v`` (parts).
    """

    id: str
    document: dict[str, Any]
    expected: int | None


class Documents(Protocol):
    """What a writer needs of a store: see :class:`analytics.store.store.Store`."""

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the newest documents of these ids, by id."""

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        """Execute each of ``writes`` and return the ids in conflict, which were not written."""

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Remove the documents of these ids, if they are stored."""

    def barrier(self) -> None:
        """Return when every earlier write is either durable or gone for good."""


class DroppedDocuments(Protocol):
    """Which documents others drop while a writer is at work."""

    def oldest(self, bolt: Bolt, now: float) -> float:
        """Return a start of periods (Unix seconds) before which a bolt's documents may be gone; 0: none ever are."""

    def dropped(self, bolt: Bolt, keys: Sequence[Key]) -> set[Key]:
        """Return which documents are of periods that are no longer kept, as of now."""


class LostWrites(AnalyticsError):
    """The store holds less than it had acknowledged of a bolt's documents.

    Attributes:
        bolt: its name.
        what: what was found and what was expected.
        includes: per topic the number through which what is left is complete, as far as is known; no topic: nothing is.
    """

    def __init__(self, bolt: str, what: str, includes: Mapping[str, int]) -> None:
        super().__init__(bolt, what, includes)
        self.bolt = bolt
        self.what = what
        self.includes = dict(includes)

    def __str__(self) -> str:
        return (
            f"{self.bolt}: the database has lost acknowledged writes: {self.what}. Was it restored from a backup, or were "
            "documents deleted? Its worker begins again and reads what the Queue still holds"
        )


class Writer:
    """Settles changes of documents. Keeps the documents it wrote, as far as memory allows.

    Args:
        now: the clock for ``updated``.
        max_items: of lists, in the documents that are kept.
        portions: how many are in flight at a time.
        retention: which documents others may drop; None: they drop none. Those that they may drop are always loaded, and none of them
            begins again: with late records alone it would be wrong.

    Attributes:
        latest: per bolt, some of the documents that were written last.
    """

    def __init__(
        self,
        store: Documents,
        areas: Areas,
        max_items: int,
        now: Callable[[], datetime],
        portions: int = 1,
        retention: DroppedDocuments | None = None,
    ) -> None:
        self._store = store
        self._areas = areas
        self._max_items = max_items
        self._now = now
        self._in_flight = portions
        self._retention = retention
        self._cache = Cache(max_items)
        self._periods = Periods()
        self._at_once: dict[str, int] = {}
        self.latest: dict[str, Written] = {}

    def portions(self, bolt: str, deltas: Mapping[Key, list[Delta]]) -> Iterator[Changed]:
        """Yield a bolt's changes for as many documents as may be held at once."""
        remaining = iter(deltas.items())
        while changed := list(islice(remaining, self._at_once.get(bolt, DOCUMENTS_AT_FIRST))):
            yield changed

    def settle(self, bolt: Bolt, changed: Changed, to: Position) -> list[Fields]:
        """Bring changes into the store; return the documents' tuples. Others may write these documents meanwhile.

        Args:
            to: the position that the documents are complete to, with these changes.

        Raises:
            Unavailable: the store does not answer. Call again with the same arguments, after a barrier.
            LostWrites: the store holds less than it had acknowledged.
        """
        tuples: list[Fields] = []
        versions: dict[str, int] = {}
        while True:
            documents = self._known(bolt, [key for key, _ in changed])
            for document in documents:
                if document.version < (version := versions.get(document.id, 0)):
                    what = f"document {document.id!r} is at version {document.version}, expected {version} or later"
                    raise LostWrites(bolt.name, what, document.included(to.log))
            versions = {document.id: document.version for document in documents}
            settled = [
                settle(document, deltas, to, self._areas)
                for document, (_, deltas) in zip(documents, changed, strict=True)
            ]
            refused = self._write(bolt, settled)
            tuples += [one.tuple for one in settled if one.known.id not in refused]
            if not refused:
                return tuples
            self._store.barrier()
            changed = [
                one for one, document in zip(changed, documents, strict=True) if document.id in refused
            ]

    def _known(self, bolt: Bolt, keys: Sequence[Key]) -> list[Known]:
        """Take the documents out of the cache, or load them: they go back when they have been written.

        Where a period begins, its documents are taken to be new, unasked: one that is not is refused, and asked for then.
        """
        kept = [self._cache.take(bolt, key) for key in keys]
        old = self._retention.oldest(bolt, self._now().timestamp()) if self._retention else 0.0
        if old:
            kept = [None if key[1] < old else one for key, one in zip(keys, kept, strict=True)]
        ids = {key: bolt.id_of(key) for key, one in zip(keys, kept, strict=True) if one is None}
        begun = self._periods.begun(bolt, ids)
        if old:
            begun = {key for key in begun if key[1] >= old}
        asked = [id_ for key, id_ in ids.items() if key not in begun]
        stored = self._store.load(bolt.name, asked) if asked else {}
        documents = [
            one or self._stored(bolt, key, ids[key], stored) for key, one in zip(keys, kept, strict=True)
        ]
        if self._retention and old:
            missing = [one for one in documents if not one.version and one.key[1] < old]
            # They are looked for first, so one that was dropped is noted by now.
            dropped = self._retention.dropped(bolt, [one.key for one in missing]) if missing else ()
            for one in missing:
                one.dropped = one.key in dropped
        return documents

    def _stored(self, bolt: Bolt, key: Key, id_: str, stored: Mapping[str, Fields]) -> Known:
        return self._loaded(bolt, key, stored[id_]) if id_ in stored else unknown(bolt, key, id_)

    def _loaded(self, bolt: Bolt, key: Key, document: Fields) -> Known:
        while True:
            ids = part_ids(document)
            parts = self._store.load(bolt.name, ids) if ids else {}
            if len(parts) == len(ids):
                found = known(bolt, key, document, [parts[id_] for id_ in ids])
                found.dropped = EMPTIED in document
                return found
            # Another instance has moved on and thrown old parts away since the document was read.
            newer = self._store.load(bolt.name, [document["_id"]])[document["_id"]]
            if newer["_v"] == document["_v"]:
                raise AnalyticsError(
                    f"{bolt.name}: parts of document {document['_id']!r} are missing; it should have "
                    f"{document['parts']}. Restore the collection {bolt.name} and positions from one backup"
                )
            document = newer

    def _write(self, bolt: Bolt, settled: Sequence[Settled]) -> set[str]:
        """Write every document's steps; return the ids of those that another instance has moved."""
        refused: set[str] = set()
        settled = [one for one in settled if not one.known.dropped]
        waiting = [one for one in settled if one.steps]
        for turn in count():
            steps = [one.steps[turn] for one in waiting]
            if not steps:
                break
            refused |= self._write_steps(bolt.name, steps)
            waiting = [one for one in waiting if turn + 1 < len(one.steps) and one.known.id not in refused]
        written = [one.known for one in settled if one.known.id not in refused]
        self._note_latest(bolt.name, written[-SAMPLE:])
        items = sum([self._cache.put(one, self._periods.over(one)) for one in written])
        if items:
            # As many like these as fit, in all portions: those that are held come on top of those that are kept.
            fitting = self._max_items * len(written) // (items * self._in_flight)
            self._at_once[bolt.name] = max(1, min(DOCUMENTS_AT_ONCE, fitting))
        return refused

    def _note_latest(self, bolt: str, written: Sequence[Known]) -> None:
        """Keep the ids and versions of some of the documents that were written last."""
        latest, now = self.latest.setdefault(bolt, {}), self._now().timestamp()
        for one in written:
            latest.pop(one.id, None)
            latest[one.id] = one.version, now
        for id_ in list(latest)[:-SAMPLE]:
            del latest[id_]

    def _write_steps(self, collection: str, steps: Sequence[Step]) -> set[str]:
        """Write a version of each of some documents; return the ids of those that another instance has moved."""
        now = self._now()
        parts = [Write(part["_id"], part, None) for step in steps for part in step.parts]
        if parts:
            self._store.write(collection, parts)
        writes = []
        for step in steps:
            document = step.document
            document |= {"updated": now, **dates_of(document, self._areas)}
            writes.append(Write(document["_id"], document, document["_v"] - 1))
        refused = self._store.write(collection, writes)
        stale = [id_ for step in steps if step.document["_id"] not in refused for id_ in step.stale]
        if stale:
            self._store.delete(collection, stale)
        return refused
