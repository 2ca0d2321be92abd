"""Documents of timer bolts: whether they differ from what is stored, and how those that do are written and published."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import gevent

from analytics.core.document import without_dates
from analytics.runtime.outlet import Outlet
from analytics.runtime.timers.documents import MARK, public
from analytics.runtime.timers.game_requests import GameAnswer
from analytics.store import Store, Write
from analytics.store.store import Document, is_version


@dataclass
class Done:
    """What a run did: per collection, how many documents it computed, how many of them it wrote, and how many it removed.

    Of calls by hand, also how many were ``kept`` or ``spared``: see :class:`analytics.runtime.timers.strays.Strays`. ``facts_bytes``: the memory that
    facts took at most when a game's documents were computed.
    """

    computed: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    spared: Counter[str] = field(default_factory=Counter)
    facts_bytes: int = 0

    def add(self, answer: GameAnswer) -> None:
        """Take up what was done elsewhere."""
        self.computed.update(answer.computed)
        self.changed.update(answer.changed)
        self.removed.update(answer.removed)
        self.facts_bytes = max(self.facts_bytes, answer.facts_bytes)


@dataclass
class Changes:
    """What is to become of a collection's documents.

    Attributes:
        writes: each with the incoming tuples that it accounts for.
        removals: ids, with the versions that were read.
        damaged: ids of those removals that have to be computed again, since their version was none.
    """

    writes: list[tuple[Write, int]] = field(default_factory=list)
    removals: dict[str, object] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)


class TimerWriter:
    """Writes, publishes and removes documents of timer bolts.

    Args:
        run: its name, which the documents carry.
        again: write and publish every document, equal or not: see :class:`analytics.runtime.timers.run.Run`.
        done: what became of documents is added to it.
    """

    def __init__(self, store: Store, outlet: Outlet, run: str, again: bool, done: Done) -> None:
        self._store = store
        self._outlet = outlet
        self._run = run
        self._again = again
        self.done = done

    def stamped(self, id_: str, document: Document, version: int, now: int) -> Document:
        """Return a document as it is stored."""
        own = {"_v": version, "_run": self._run, MARK: now, "updated": datetime.now(UTC)}
        return {"_id": id_} | document | own

    def compare(
        self, changes: Changes, id_: str, old: Document | None, document: Document, now: int, tuples: int = 0
    ) -> None:
        """Note down in ``changes`` what becomes of a document that was computed.

        Args:
            old: what is stored under its id.
            now: the time that it was computed for.
            tuples: the incoming tuples that it accounts for.
        """
        if old is not None and not is_version(old):
            # Nobody could replace it: it is removed, and computed as one that is missing.
            changes.removals[id_] = old.get("_v")
            changes.damaged.add(id_)
        elif old is None or self._again or public(old) != document:
            version = old["_v"] if old is not None else 0
            changes.writes.append(
                (Write(id_, self.stamped(id_, document, version + 1, now), version), tuples)
            )

    def carry_out(self, collection: str, changes: Changes) -> set[str]:
        """Write, publish and remove documents; return the ids of those that have to be looked at again."""
        writes = [write for write, _ in changes.writes]
        refused = self._store.write(collection, writes) if writes else set()
        written = [
            tuple_of(write.document, tuples) for write, tuples in changes.writes if write.id not in refused
        ]
        self._outlet.publish(collection, written)
        removed = {
            id_: self._store.remove(collection, id_, version) for id_, version in changes.removals.items()
        }
        self.done.changed[collection] += len(written)
        self.done.removed[collection] += sum(
            gone and id_ not in changes.damaged for id_, gone in removed.items()
        )
        gevent.sleep(0)
        return refused | changes.damaged | {id_ for id_, gone in removed.items() if not gone}


def tuple_of(document: Document, tuples: int) -> Document:
    """Return the tuple that says what a document says to readers, without dates; ``tuples``: the incoming ones it accounts for."""
    shown = {
        name: value
        for name, value in without_dates(document).items()
        if not name.startswith("_") and name != "updated"
    }
    return {**shown, "version": document["_v"], "tuples": tuples}
