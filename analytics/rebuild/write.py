"""Writes documents that differ, and tells those that read them.

    parts ──▶ documents, if the version is as read ──▶ parts of before removed ──▶ tuples published

A document that should not exist is emptied first, on the same condition, and then removed: so nobody who holds it
writes it again, and nothing is lost that came in between.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt
from analytics.core.derive import Rewritten, rewritten, states_of
from analytics.core.settle import Position
from analytics.errors import AnalyticsError, Unavailable
from analytics.rebuild.group import Group, reads_spouts
from analytics.rebuild.look import Change, Done, Look, change_of
from analytics.rebuild.notes import Notes
from analytics.rebuild.queue import Tail
from analytics.rebuild.stored import at_of, before_of, counts_parts, next_part, orphans_of, parts_of
from analytics.runtime.outlet import Outlet
from analytics.store import Document, Store, Write
from analytics.store.store import is_version

AT_ONCE = 200


class Writer:
    """Writes documents of one group after the other.

    Args:
        report: told of each document that differed, once it is mended.
        done: what became of documents is added to it.
    """

    def __init__(
        self,
        areas: Areas,
        store: Store,
        tail: Tail,
        outlet: Outlet,
        notes: Notes,
        report: Callable[[Change], None],
        done: Done,
    ) -> None:
        self._areas = areas
        self._store = store
        self._tail = tail
        self._outlet = outlet
        self._notes = notes
        self._report = report
        self._done = done
        self._told: dict[tuple[str, str], Change] = {}
        self._thrown: set[tuple[str, str]] = set()

    def act(self, group: Group, bolt: Bolt, looks: Mapping[str, Look]) -> list[str]:
        """Write what differs; return the ids of those that were refused."""
        for id_ in (id_ for id_, look in looks.items() if not look.what):
            self._finish(bolt, id_, thrown_away=True)
        wrong = {id_: look for id_, look in looks.items() if look.what}
        for id_, look in wrong.items():
            self._told.setdefault((bolt.name, id_), change_of(bolt, id_, look, self._areas))
        sound = {id_: one for id_, one in wrong.items() if one.document is None or is_version(one.document)}
        for id_ in wrong.keys() - sound.keys():
            self._throw_away(bolt, id_, wrong[id_])
        refused = set(wrong.keys() - sound.keys())
        if not sound:
            return sorted(refused)
        texts = {id_: self._text(group, bolt, look) for id_, look in sound.items()}
        if bolt.publishes:
            self._notes.begin(bolt.name, [id_ for id_, look in sound.items() if look.states is not None])
        conflicts = self._write(bolt, sound, texts)
        for id_ in sound.keys() - conflicts:
            if sound[id_].states is None and not self._store.remove(
                bolt.name, id_, texts[id_].document["_v"]
            ):
                conflicts.add(id_)
        written = [id_ for id_ in sound if id_ not in conflicts]
        if bolt.publishes:
            self._outlet.publish(
                bolt.name, [texts[id_].tuple for id_ in written if sound[id_].states is not None]
            )
            self._notes.published(bolt.name)
        for id_ in written:
            group.versions.setdefault(bolt.name, {})[id_] = texts[id_].document["_v"]
            self._finish(bolt, id_)
        return sorted(refused | conflicts)

    def _finish(self, bolt: Bolt, id_: str, thrown_away: bool = False) -> None:
        """Tell of a document that is as it should be now. One that became so without us was on its way."""
        change = self._told.pop((bolt.name, id_), None)
        if change is not None and (not thrown_away or (bolt.name, id_) in self._thrown):
            self._tell(change)

    def _tell(self, change: Change) -> None:
        self._done.changed[change.collection, change.what] += 1
        self._report(change)

    def _text(self, group: Group, bolt: Bolt, look: Look) -> Rewritten:
        """Return a document as it is to be written: with all messages that have been read.

        One that should not exist is emptied first, so that nobody who holds it writes it again.
        """
        document, at, key, states = look.document, at_of(look.document), look.key, look.states
        if look.differences and "_at" in look.differences:
            at = None
        if key is None or states is None:
            key = (group.area.id, *(0 for _ in bolt.key_fields[1:]))
            states = [measure.empty() for measure in bolt.measures.values()]
        elif reads_spouts(bolt.name):
            states = group.at(bolt.name, key, None) or states
        if reads_spouts(bolt.name):
            to = Position(self._tail.log, {topic: self._tail.numbers[topic] for topic in bolt.reads})
            before = before_of(bolt, at, self._tail.log)
        else:
            # Tuples are taken by their meaning: to claim less of them than there is does no harm.
            to = Position(at["log"], at["topics"]) if at else Position(self._tail.log, {})
            before = Position(**at["before"]) if at and "before" in at else None
        return rewritten(
            bolt, key, states, self._areas, at=to, before=before,
            # A document that was gone begins at a version above any that readers of its tuples may have seen.
            version=int(time.time()) if document is None else document["_v"] + 1,
            first_part=next_part(document), all_in_parts=counts_parts(bolt, document),
        )  # fmt: skip

    def _write(self, bolt: Bolt, looks: Mapping[str, Look], texts: Mapping[str, Rewritten]) -> set[str]:
        """Write documents, their parts before; return the ids that were refused."""
        now = datetime.now(UTC)
        parts = [part for id_ in looks for part in texts[id_].parts if looks[id_].states is not None]
        for begin in range(0, len(parts), AT_ONCE):
            some = parts[begin : begin + AT_ONCE]
            self._store.write(bolt.name, [Write(part["_id"], part, None) for part in some])
        writes = []
        for id_, look in looks.items():
            document, stored = texts[id_].document, look.document or {}
            document |= {"_id": id_, "updated": now}
            if look.states is None:
                document.pop("parts", None)
                document |= {name: stored[name] for name in bolt.key_fields if name in stored}
            writes.append(Write(id_, document, look.document["_v"] if look.document else 0))
        refused = self._store.write(bolt.name, writes) if writes else set()
        stale: list[str] = []
        for id_, look in looks.items():
            if id_ in refused:
                stale += [part["_id"] for part in texts[id_].parts]
            else:
                left = {*parts_of(look.document or {}), *orphans_of(bolt, texts[id_].document, self._store)}
                stale += left - {part["_id"] for part in texts[id_].parts}
        if stale:
            self._store.delete(bolt.name, stale)
        return refused

    def remove_orphans(self, bolt: Bolt, document: Document) -> None:
        """Remove the parts that a document, which is right, has left behind."""
        if found := orphans_of(bolt, document, self._store):
            self._store.delete(bolt.name, found)
            for id_ in found:
                self._tell(Change(bolt.name, id_, "extra", {}))

    def remove_foreign(self, bolt: Bolt, document: Document) -> None:
        """Remove a document whose id is no text, as the suite's are."""
        if self._store.remove(bolt.name, document["_id"], document.get("_v")):
            self._tell(Change(bolt.name, str(document["_id"]), "extra", {}))

    def _throw_away(self, bolt: Bolt, id_: str, look: Look) -> None:
        """Remove a document that no worker could use, as its version is none. The next look finds it missing."""
        document = look.document
        assert document is not None
        if self._store.remove(bolt.name, id_, document.get("_v")):
            self._thrown.add((bolt.name, id_))


def tuples_of(bolt: Bolt, areas: Areas, store: Store, ids: list[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the tuples that say all of some stored documents."""
    for id_ in ids:
        document = store.load(bolt.name, [id_]).get(id_)
        if document is None or not is_version(document) or document.get("area") not in areas:
            continue
        try:
            whole = store.whole(bolt.name, document)
        except Unavailable:
            raise
        except AnalyticsError:
            continue  # a part is missing: it is about to be mended
        key = tuple(whole[name] for name in bolt.key_fields)
        states = states_of(bolt, whole)
        yield rewritten(bolt, key, states, areas, version=whole["_v"], at=Position("", {})).tuple
