"""From folded changes to documents in the store, tuples in the broker, and saved positions, in this order.

    settle ──▶ parts ──▶ document, if its version is as known ──▶ published tuples, acknowledged ──▶ positions
                              │ refused: load it again, fold in what it lacks
                              └──────────────────────────────────────────────▶ again

Two portions of documents are in flight at a time: while the store writes one, the next is computed.

A crash between any two steps is harmless: the positions still say that the messages are to be folded, and
the documents say which of them they include.

After an error nobody knows which writes took effect, or will be rolled back. So the next try begins with a barrier, and
believes only what a majority of the store has. A document or position that is older than what was acknowledged is never
written over: the settler raises LostWrites.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, islice

from gevent.event import AsyncResult

from analytics.broker.wire import Ack, Head
from analytics.core.areas import Areas
from analytics.core.bolt import CHANGES, Bolt, Key
from analytics.core.fold import Delta
from analytics.core.settle import Fields, Known, Position, Settled, Step, known, part_ids, settle, unknown
from analytics.errors import AnalyticsError
from analytics.runtime.cache import Cache, Periods
from analytics.runtime.lost_writes import SAMPLE, LostWrites, Written, older_documents
from analytics.runtime.marks import Marks, reports_changes
from analytics.runtime.outlet import Outlet
from analytics.store import POSITIONS, Store, Write
from analytics.system.tasks import share

DOCUMENTS_AT_FIRST = 10
"""In a portion, before the size of a bolt's documents is known."""

DOCUMENTS_AT_ONCE = 500
"""In a portion: one bulk write."""

PORTIONS = 2
"""At a time: one is prepared while the store writes another."""


_Portion = tuple[Bolt, Sequence[tuple[Key, list[Delta]]], Position]


@dataclass(slots=True)
class PendingChanges:
    """What a stretch of messages changes: deltas per bolt and document, and how far each bolt then is.

    ``tuples`` and ``bytes`` say how much those messages held.
    """

    log: str
    deltas: dict[str, defaultdict[Key, list[Delta]]]
    heads: dict[str, dict[str, Head]] = field(default_factory=dict)
    tuples: int = 0
    bytes: int = 0

    @classmethod
    def nothing(cls, log: str, bolts: Iterable[str]) -> "PendingChanges":
        """Return no changes at all."""
        return cls(log, {bolt: defaultdict(list) for bolt in bolts})

    def add(self, bolt: str, folded: Mapping[Key, Delta]) -> None:
        """Add what one message changes in a bolt's documents."""
        kept = self.deltas[bolt]
        for key, delta in folded.items():
            kept[key].append(delta)


class Settler:
    """Settles the changes of some bolts. Keeps the documents it wrote, as far as memory allows."""

    def __init__(
        self,
        bolts: Mapping[str, Bolt],
        areas: Areas,
        store: Store,
        outlet: Outlet,
        max_items: int,
    ) -> None:
        self._bolts = bolts
        self._areas = areas
        self._store = store
        self._outlet = outlet
        self._versions: dict[str, int | None] = {}
        self._latest: dict[str, Written] = {bolt: {} for bolt in bolts}
        self._in_doubt = False
        self._elections = store.elections
        self._max_items = max_items
        self._cache = Cache(max_items)
        self._periods = Periods()
        self._at_once = dict.fromkeys(bolts, DOCUMENTS_AT_FIRST)

    def settle(self, changes: PendingChanges) -> None:
        """Bring ``changes`` into the store. Returns when documents and positions are durable.

        Raises:
            Unavailable: the store does not answer. Call again with the same ``changes``.
            LostWrites: the store holds less than it had acknowledged. This settler can't be used any more.
        """
        if self._in_doubt or self._elections != self._store.elections:
            self._resolve(changes.log)
        self._in_doubt = True
        self._settle(changes)
        self._in_doubt = False

    def _settle(self, changes: PendingChanges) -> None:
        published: list[AsyncResult[Ack]] = []
        marks = Marks()

        def settle_portion(portion: _Portion) -> None:
            bolt, changed, to = portion
            tuples = self._settle_documents(bolt, changed, to)
            if bolt.publishes:
                published.extend(self._outlet.send(bolt.name, tuples, bolt.list_fields))
            if reports_changes(bolt):
                marks.note_keys(bolt, (key for key, _ in changed), self._areas)

        share(self._portions(changes), settle_portion, PORTIONS)
        if reported := marks.tuples():
            published.extend(self._outlet.send(CHANGES, reported))
        for result in published:
            result.get()
        self.save_positions(changes.log, changes.heads)

    def _resolve(self, log: str) -> None:
        """Have every earlier write decided, and see that nothing acknowledged is gone."""
        elections = self._store.elections
        self._store.barrier()
        for bolt, written in self._latest.items():
            if lost := older_documents(self._store, bolt, written, log):
                raise lost
        self._elections = elections

    def _portions(self, changes: PendingChanges) -> Iterator[_Portion]:
        """Yield a bolt's changes for as many documents as it may hold, and what position these are then complete to."""
        for name, deltas in changes.deltas.items():
            to = Position(changes.log, {topic: head.number for topic, head in changes.heads[name].items()})
            remaining = iter(deltas.items())
            while changed := list(islice(remaining, self._at_once[name])):
                yield self._bolts[name], changed, to

    def save_positions(self, log: str, heads: Mapping[str, Mapping[str, Head]]) -> None:
        """Save how far each bolt is. One that another instance has brought further stays there.

        So an instance that slept over another's work takes nothing back: what it asks for again later may be gone
        from the Queue.
        """
        waiting = dict(heads)
        while waiting:
            writes = [self._position(bolt, log, topics) for bolt, topics in waiting.items()]
            refused = self._store.write(POSITIONS, writes)
            for one in writes:
                if one.id not in refused:
                    self._versions[one.id] = one.document["_v"]
            saved = self._saved_further(refused) if refused else {}
            waiting = {
                bolt: _furthest(waiting[bolt], saved[bolt][1])
                if bolt in saved and saved[bolt][0] == log
                else waiting[bolt]
                for bolt in refused
            }

    def _saved_further(self, bolts: Iterable[str]) -> dict[str, tuple[str, dict[str, Head]]]:
        """Return the saved positions of bolts that another instance has brought further."""
        known = {bolt: self._versions.get(bolt) or 0 for bolt in bolts}
        self._store.barrier()
        saved = self._load_positions(bolts)
        for bolt, version in known.items():
            if (found := self._versions[bolt] or 0) < version:
                raise LostWrites(bolt, f"its position is at version {found}, expected {version} or later", {})
        return saved

    def load_positions(self) -> dict[str, tuple[str, dict[str, Head]]]:
        """Return, per bolt that has one, the log and the saved position in it."""
        self._store.barrier()
        return self._load_positions(self._bolts)

    def lost(self) -> list[LostWrites]:
        """Return what the store has lost of the documents that the loaded positions name, by bolt."""
        found = []
        for bolt, one in self._store.load(POSITIONS, list(self._bolts)).items():
            written = {id_: (version, at) for id_, version, at in one.get("written", [])}
            if lost := older_documents(self._store, bolt, written, one["log"]):
                found.append(lost)
        return found

    def _load_positions(self, bolts: Iterable[str]) -> dict[str, tuple[str, dict[str, Head]]]:
        saved = self._store.load(POSITIONS, list(bolts))
        for bolt in bolts:
            # One that an earlier version of the suite has saved carries none: it is replaced as it is.
            self._versions[bolt] = saved[bolt].get("_v") if bolt in saved else 0
        return {
            bolt: (
                one["log"],
                {topic: Head(number, records, tuples) for topic, number, records, tuples in one["topics"]},
            )
            for bolt, one in saved.items()
        }

    def _position(self, bolt: str, log: str, topics: Mapping[str, Head]) -> Write:
        expected = self._versions.get(bolt)
        document = {
            "_id": bolt,
            "log": log,
            "topics": [[topic, head.number, head.records, head.tuples] for topic, head in topics.items()],
            "written": [[id_, version, at] for id_, (version, at) in self._latest[bolt].items()],
            "updated": datetime.now(UTC),
            "_v": (expected or 0) + 1,
        }
        return Write(bolt, document, expected)

    def _settle_documents(
        self, bolt: Bolt, changed: Sequence[tuple[Key, list[Delta]]], to: Position
    ) -> list[Fields]:
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
                break
            self._store.barrier()
            changed = [
                one for one, document in zip(changed, documents, strict=True) if document.id in refused
            ]
        return tuples

    def _known(self, bolt: Bolt, keys: Sequence[Key]) -> list[Known]:
        """Take the documents out of the cache, or load them: they go back when they have been written.

        Where a period begins, its documents are taken to be new, unasked: one that is not is refused, and asked for then.
        """
        kept = [self._cache.take(bolt, key) for key in keys]
        ids = {key: bolt.id_of(key) for key, one in zip(keys, kept, strict=True) if one is None}
        begun = self._periods.begun(bolt, ids)
        asked = [id_ for key, id_ in ids.items() if key not in begun]
        stored = self._store.load(bolt.name, asked) if asked else {}
        return [one or self._stored(bolt, key, ids[key], stored) for key, one in zip(keys, kept, strict=True)]

    def _stored(self, bolt: Bolt, key: Key, id_: str, stored: Mapping[str, Fields]) -> Known:
        return self._loaded(bolt, key, stored[id_]) if id_ in stored else unknown(bolt, key, id_)

    def _loaded(self, bolt: Bolt, key: Key, document: Fields) -> Known:
        while True:
            ids = part_ids(document)
            parts = self._store.load(bolt.name, ids) if ids else {}
            if len(parts) == len(ids):
                return known(bolt, key, document, [parts[id_] for id_ in ids])
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
            fitting = self._max_items * len(written) // (items * PORTIONS)
            self._at_once[bolt.name] = max(1, min(DOCUMENTS_AT_ONCE, fitting))
        return refused

    def _note_latest(self, bolt: str, written: Sequence[Known]) -> None:
        """Keep the ids and versions of some of the documents that were written last."""
        latest, now = self._latest[bolt], time.time()
        for one in written:
            latest.pop(one.id, None)
            latest[one.id] = one.version, now
        for id_ in list(latest)[:-SAMPLE]:
            del latest[id_]

    def _write_steps(self, collection: str, steps: Sequence[Step]) -> set[str]:
        """Write a version of each of some documents; return the ids of those that another instance has moved."""
        now = datetime.now(UTC)
        parts = [Write(part["_id"], part, None) for step in steps for part in step.parts]
        if parts:
            self._store.write(collection, parts)
        writes = []
        for step in steps:
            document = step.document
            document["updated"] = now
            writes.append(Write(document["_id"], document, document["_v"] - 1))
        refused = self._store.write(collection, writes)
        stale = [id_ for step in steps if step.document["_id"] not in refused for id_ in step.stale]
        if stale:
            self._store.delete(collection, stale)
        return refused


def _furthest(one: Mapping[str, Head], other: Mapping[str, Head]) -> dict[str, Head]:
    """Return the position that is further, topic by topic."""
    return {topic: max(head, other.get(topic, head), key=lambda at: at.number) for topic, head in one.items()}
