"""Writes documents that differ, and publishes their tuples.

    parts ──▶ documents, if the version is as read ──▶ parts of before removed ──▶ tuples published

A document that should not exist is emptied first, on the same condition, and then removed: so nobody who holds it
writes it again, and nothing is lost that came in between. One without a version is removed, on condition of what it has
in its place: nobody can write it, and the next check finds it missing.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from analytics.core.areas import Areas
from analytics.core.bolt import CHANGES, Bolt, Key
from analytics.core.derive import Rewritten, States, rewritten, states_of
from analytics.core.portions import portions
from analytics.core.settle import Position
from analytics.core.tuples import EARLIEST_START, LATEST
from analytics.errors import AnalyticsError, Unavailable
from analytics.rebuild.check import Check, DifferingDocument, DocumentCounts, change_of, number_of, orphans_of
from analytics.rebuild.group import Group, home_of, reads_spouts
from analytics.rebuild.notes import Notes
from analytics.rebuild.queue import Tail
from analytics.runtime.marks import Marks
from analytics.runtime.outlet import Outlet
from analytics.store import Document, Store, Write
from analytics.store.store import is_version

AT_ONCE = 200


class DocumentWriter:
    """Writes documents of one group after the other.

    Args:
        report: called with each document that differed, once it is repaired, or removed to be derived again.
        done: what became of documents is added to it.
    """

    def __init__(
        self,
        areas: Areas,
        store: Store,
        tail: Tail,
        outlet: Outlet,
        notes: Notes,
        report: Callable[[DifferingDocument], None],
        done: DocumentCounts,
    ) -> None:
        self._areas = areas
        self._store = store
        self._tail = tail
        self._outlet = outlet
        self._notes = notes
        self._report = report
        self.done = done
        self._dropped: set[tuple[str, str]] = set()

    def act(self, group: Group, bolt: Bolt, checks: Mapping[str, Check]) -> list[str]:
        """Write what differs; return the ids of those that were refused."""
        wrong = {id_: check for id_, check in checks.items() if check.what}
        sound = {id_: one for id_, one in wrong.items() if not one.has_no_version}
        refused = set(wrong.keys() - sound.keys())
        self._drop(bolt, {id_: wrong[id_] for id_ in sorted(refused)})
        if not sound:
            return sorted(refused)
        texts = {id_: self._text(group, bolt, check) for id_, check in sound.items()}
        if bolt.publishes or bolt.totals:
            self._notes.begin(bolt.name, sound, timers=bolt.publishes)
        conflicts = replace_documents(self._store, bolt, sound, texts)
        for id_ in sound.keys() - conflicts:
            if sound[id_].states is None and not self._store.remove(
                bolt.name, id_, texts[id_].document["_v"]
            ):
                conflicts.add(id_)
        written = [id_ for id_ in sound if id_ not in conflicts]
        if bolt.publishes:
            self._outlet.publish(
                bolt.name,
                [texts[id_].tuple for id_ in written if sound[id_].states is not None],
                bolt.list_fields,
            )
        if bolt.publishes or bolt.totals:
            # What is gone has no tuple of its own: the node `timers` would compute on with what it has read of it.
            marked = [id_ for id_ in written if bolt.totals or sound[id_].states is None]
            self._outlet.publish(CHANGES, marks_of(bolt, self._areas, marked, [sound[id_] for id_ in marked]))
            self._notes.published(bolt.name)
        for id_ in written:
            group.versions.setdefault(bolt.name, {})[id_] = texts[id_].document["_v"]
            if (bolt.name, id_) not in self._dropped:
                self._tell(change_of(bolt, id_, sound[id_], self._areas))
        return sorted(refused | conflicts)

    def _tell(self, change: DifferingDocument) -> None:
        self.done.changed[change.collection, change.what] += 1
        self._report(change)

    def _text(self, group: Group, bolt: Bolt, check: Check) -> Rewritten:
        """Return a document as it is to be written: with all messages that have been read.

        One that should not exist is emptied first, so that nobody who holds it writes it again.
        """
        key, states, log = check.key, check.states, self._tail.log
        header = None if "_at" in (check.differences or {}) else check.header
        if key is None or states is None:
            key = (group.area.id, *(0 for _ in bolt.key_fields[1:]))
            states = [measure.empty() for measure in bolt.measures.values()]
        elif reads_spouts(bolt):
            states = group.documents(bolt.name, self._store)[key].at(None) or states
        if reads_spouts(bolt):
            to = Position(log, {topic: self._tail.numbers[topic] for topic in bolt.reads})
            before = header.before_log(bolt, log) if header else None
        else:
            # Tuples are taken by their meaning: to claim less of them than there is does no harm.
            at = header.at if header else None
            to, before = (Position(at.log, at.topics), at.before) if at else (Position(log, {}), None)
        # Who held the version before has parts to count on from, and those that are left of one that was dropped lie below.
        in_parts = check.has_parts(bolt) or (bolt.name, bolt.id_of(key)) in self._dropped
        return replacement(bolt, key, states, self._areas, check, to, before, in_parts)

    def remove_orphans(self, bolt: Bolt, document: Document) -> None:
        """Remove the parts that a document, which is right, has left behind."""
        if found := orphans_of(bolt, document, self._store):
            self._store.delete(bolt.name, found)
            for id_ in found:
                self._tell(DifferingDocument(bolt.name, id_, "extra", {}))

    def remove_foreign(self, bolt: Bolt, document: Document) -> None:
        """Remove a document whose id is no text, as the suite's are."""
        if self._store.remove(bolt.name, document["_id"], document.get("_v")):
            if bolt.totals or bolt.publishes:
                self._outlet.publish(CHANGES, marks_of(bolt, self._areas, [], [Check(None, document, None)]))
            self._tell(DifferingDocument(bolt.name, str(document["_id"]), "extra", {}))

    def _drop(self, bolt: Bolt, checks: Mapping[str, Check]) -> None:
        """Remove documents without a version. The next check finds them missing."""
        if not checks:
            return
        if bolt.totals or bolt.publishes:
            self._notes.begin(bolt.name, checks, timers=False)
        for id_, check in checks.items():
            assert check.document is not None
            if self._store.remove(bolt.name, id_, check.document.get("_v")):
                if (bolt.name, id_) not in self._dropped:
                    self._tell(change_of(bolt, id_, check, self._areas))
                self._dropped.add((bolt.name, id_))
        if bolt.totals or bolt.publishes:
            self._outlet.publish(CHANGES, marks_of(bolt, self._areas, checks, checks.values()))
            self._notes.published(bolt.name)


def replacement(
    bolt: Bolt,
    key: Key,
    states: States,
    areas: Areas,
    check: Check,
    at: Position,
    before: Position | None,
    in_parts: bool,
) -> Rewritten:
    """Return the document that takes a stored one's place, or that of a missing one, complete to ``at``."""
    header = check.header
    last = number_of(header.parts[-1]) if header and header.parts else 0
    return rewritten(
        bolt, key, states, areas, at=at, before=before,
        # A document that was gone begins at a version above any that readers of its tuples may have seen.
        version=header.version + 1 if header else int(time.time()),
        # No other writer uses these numbers at the same time.
        first_part=last + 1 + time.time_ns() // 1_000_000,
        all_in_parts=in_parts,
    )  # fmt: skip


def replace_documents(
    store: Store, bolt: Bolt, checks: Mapping[str, Check], texts: Mapping[str, Rewritten]
) -> set[str]:
    """Write documents, their parts before; return the ids that were refused."""
    now = datetime.now(UTC)
    parts = [part for id_ in checks for part in texts[id_].parts if checks[id_].states is not None]
    for some in portions(parts, AT_ONCE):
        store.write(bolt.name, [Write(part["_id"], part, None) for part in some])
    writes = []
    for id_, check in checks.items():
        document, stored = texts[id_].document, check.document or {}
        document |= {"_id": id_, "updated": now}
        if check.states is None:
            document.pop("parts", None)
            document |= {name: stored[name] for name in bolt.key_fields if name in stored}
        writes.append(Write(id_, document, check.document["_v"] if check.document else 0))
    refused = store.write(bolt.name, writes) if writes else set()
    stale: list[str] = []
    for id_, check in checks.items():
        if id_ in refused:
            stale += [part["_id"] for part in texts[id_].parts]
        else:
            left = {
                *(check.header.parts if check.header else ()),
                *orphans_of(bolt, texts[id_].document, store),
            }
            stale += left - {part["_id"] for part in texts[id_].parts}
    if stale:
        store.delete(bolt.name, stale)
    return refused


def marks_of(
    bolt: Bolt, areas: Areas, ids: Iterable[str], checks: Iterable[Check] = ()
) -> list[Mapping[str, Any]]:
    """Return the tuples that report changes of these documents: those that their ids name, and those that were stored there."""
    marks = Marks()

    def note(game: object, ts: object, area: object) -> None:
        # What no period can begin at has no total, and a reader would not take the tuple.
        if isinstance(game, str) and isinstance(ts, int) and EARLIEST_START <= ts <= LATEST:
            marks.note(bolt, game, ts, area if bolt.publishes and isinstance(area, str) else "")

    for id_ in ids:
        home = home_of(bolt, id_)
        if home is not None and home[0] in areas:
            note(areas[home[0]].game, home[1], home[0])
    for check in checks:
        note(*((check.document or {}).get(name) for name in ("game", "ts", "area")))
    return list(marks.tuples())


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
            continue  # a part is missing: it is about to be repaired
        key = tuple(whole[name] for name in bolt.key_fields)
        states = states_of(bolt, whole)
        yield rewritten(bolt, key, states, areas, version=whole["_v"], at=Position("", {})).tuple
