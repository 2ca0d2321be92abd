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

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from gevent.event import AsyncResult

from analytics.broker.wire import Ack, Head
from analytics.core.areas import Areas
from analytics.core.bolt import CHANGES, Bolt, Key
from analytics.core.fold import Delta
from analytics.core.settle import PartlyIncluded, Position
from analytics.core.writing import Changed, LostWrites, Writer
from analytics.runtime.horizons import KeptPeriods
from analytics.runtime.lost_writes import older_documents
from analytics.runtime.marks import Marks, reports_changes
from analytics.runtime.outlet import Outlet
from analytics.store import POSITIONS, Store, Write
from analytics.system.tasks import share

PORTIONS = 2
"""At a time: one is prepared while the store writes another."""


_Portion = tuple[Bolt, Changed, Position]


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
        keep_days: Mapping[str, int] | None = None,
    ) -> None:
        self._bolts = bolts
        self._areas = areas
        self._store = store
        self._outlet = outlet
        self._versions: dict[str, int | None] = {}
        self._in_doubt = False
        self._elections = store.elections
        kept = KeptPeriods(store, areas, bolts.keys(), keep_days or {})
        self._writer = Writer(store, areas, max_items, partial(datetime.now, UTC), PORTIONS, kept)

    def settle(self, changes: PendingChanges) -> None:
        """Bring ``changes`` into the store. Returns when documents and positions are durable.

        Raises:
            Unavailable: the store does not answer. Call again with the same ``changes``.
            LostWrites: the store holds less than it had acknowledged. This settler can't be used any more.
            PartlyIncluded: documents include some of the messages that were folded together. Neither can it then.
        """
        if self._in_doubt or self._elections != self._store.elections:
            self._resolve(changes.log)
        self._in_doubt = True
        self._settle(changes)
        self._in_doubt = False

    def _settle(self, changes: PendingChanges) -> None:
        published: list[AsyncResult[Ack]] = []
        marks = Marks()
        partly: list[PartlyIncluded] = []

        def settle_portion(portion: _Portion) -> None:
            bolt, changed, to = portion
            try:
                tuples = self._writer.settle(bolt, changed, to)
            except PartlyIncluded as error:
                partly.append(error)  # another portion may have lost writes, which is the greater fault
                return
            if bolt.publishes:
                published.extend(self._outlet.send(bolt.name, tuples, bolt.list_fields))
            if reports_changes(bolt):
                marks.note_keys(bolt, (key for key, _ in changed), self._areas)

        share(self._portions(changes), settle_portion, PORTIONS)
        if partly:
            raise partly[0]
        if reported := marks.tuples():
            published.extend(self._outlet.send(CHANGES, reported))
        for result in published:
            result.get()
        self.save_positions(changes.log, changes.heads)

    def _resolve(self, log: str) -> None:
        """Have every earlier write decided, and see that nothing acknowledged is gone."""
        elections = self._store.elections
        self._store.barrier()
        for bolt, written in self._writer.latest.items():
            if lost := older_documents(self._store, bolt, written, log):
                raise lost
        self._elections = elections

    def _portions(self, changes: PendingChanges) -> Iterator[_Portion]:
        """Yield a bolt's changes for as many documents as it may hold, and what position these are then complete to."""
        for name, deltas in changes.deltas.items():
            to = Position(changes.log, {topic: head.number for topic, head in changes.heads[name].items()})
            for changed in self._writer.portions(name, deltas):
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
            "written": [
                [id_, version, at] for id_, (version, at) in self._writer.latest.get(bolt, {}).items()
            ],
            "updated": datetime.now(UTC),
            "_v": (expected or 0) + 1,
        }
        return Write(bolt, document, expected)


def _furthest(one: Mapping[str, Head], other: Mapping[str, Head]) -> dict[str, Head]:
    """Return the position that is further, topic by topic."""
    return {topic: max(head, other.get(topic, head), key=lambda at: at.number) for topic, head in one.items()}
