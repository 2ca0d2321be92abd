"""Compares the documents of a group with what was derived, and repairs those that differ.

stored ──▶ Queue read to its end ──▶ derived to the same numbers ──▶ equal? ──▶ done
   ▲                                                                  │ no
   └─ refused ◀── written with what all messages say, if the version is as read ──▶ tuple published
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import gevent

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState, Head
from analytics.core.agree import NOTHING, Differences, ValueChanged, agreed_states, differences
from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.derive import Derived, States
from analytics.core.portions import portions
from analytics.rebuild.check import Check, Header, load_checks
from analytics.rebuild.group import Group, begins_period, reads_spouts, upstream
from analytics.rebuild.queue import Tail, heads_of, wait_for
from analytics.rebuild.selection import Selection
from analytics.rebuild.write import DocumentWriter
from analytics.store import Document, Store

AT_ONCE = 200
ROUNDS = 50
FEW = 20
PAUSE_SECONDS = 0.2

_Documents = Mapping[Key, Derived]


class Repairer:
    """Works on one group after the other.

    If many documents should not exist, the journals may belong to another data folder: the bolt's documents of the group
    are then left alone. But if the bolt was declared otherwise when they were counted, they are what it made then.

    ``strays`` are documents whose ids put them into another area or period; ``spared`` counts, by bolt, documents that
    should not exist and were left alone.

    Args:
        wanted: all bolts, how long to wait for those that make no progress, and whether to remove many documents.
        redeclared: bolts whose documents were counted by another declaration than they have now.
    """

    def __init__(
        self,
        areas: Areas,
        store: Store,
        refill: Refill,
        tail: Tail,
        writer: DocumentWriter,
        wanted: Selection,
        redeclared: Collection[str] = (),
    ) -> None:
        self._catalogue = wanted.catalogue
        self._areas = areas
        self._store = store
        self._refill = refill
        self._tail = tail
        self._writer = writer
        self._wanted = wanted
        self._heads: dict[str, int] = {}
        self._redeclared = redeclared
        self.strays: set[tuple[str, str]] = set()
        self.spared: Counter[str] = Counter()

    def repair(self, group: Group, bolts: Iterable[str]) -> None:
        """Check the documents of these bolts, and repair what differs."""
        for name in (name for name in upstream(self._catalogue, bolts) if name in set(bolts)):
            bolt = self._catalogue[name]
            reads = {topic: self._tail.cut[topic] for topic in bolt.reads if topic in self._tail.cut}
            state = self._wait({name: list(reads)}, heads_of(reads))
            doubtful, too_many = self._first_pass(group, bolt, state)
            if too_many and not self._wanted.remove_many:
                self.spared[name] += too_many
                continue
            for turn in range(ROUNDS):
                if not doubtful:
                    break
                if turn:
                    gevent.sleep(PAUSE_SECONDS)
                doubtful = self._round(group, bolt, doubtful)
            self._writer.done.restless += [(name, id_) for id_ in doubtful]

    def _first_pass(self, group: Group, bolt: Bolt, state: BrokerState) -> tuple[list[str], int]:
        """Return the ids of documents that may differ, and how many would have to go, if that is suspiciously many.

        The pass is cheap, and misses no document that differs. Documents at no hour or day of the area's zone do not count as
        extra as far as others replace them: the zone was changed.
        """
        name = bolt.name
        passed = self._passed(name, state)
        derived = group.documents(name, self._store)
        missing = group.keys(name, derived)
        replacing, extra, looked = len(missing), 0, 0
        explained = name in self._redeclared and bool(missing)
        doubtful, versions = [], group.versions.setdefault(name, {})
        since, until = group.bounds(name)
        found = self._store.find(name, area=group.area.id, since=since, until=until, batch=AT_ONCE)
        for some in portions(found, AT_ONCE):
            for check in load_checks(self._store, bolt, some):
                document = check.document or {}
                id_ = document["_id"]
                if not isinstance(id_, str):
                    self._writer.remove_foreign(bolt, document)
                    continue
                if not group.share.holds(id_):
                    continue
                looked += 1
                versions[id_] = check.header.version if check.header else 0
                check.key = missing.pop(id_, None)
                if check.key is None and group.strays(name, id_):
                    self.strays.add((name, id_))
                    continue
                self._judge(bolt, check, passed, derived, derived)
                if check.what == "extra":
                    if replacing and not begins_period(bolt, group.area, document):
                        replacing -= 1
                    else:
                        extra += 1
                elif not check.what:
                    self._writer.remove_orphans(bolt, document)
                if check.what:
                    doubtful.append(id_)
            self._tail.keep_up()
            gevent.sleep(0)
        doubtful += [id_ for id_, key in missing.items() if derived[key].at(passed) is not None]
        self._writer.done.looked[name] += looked
        return doubtful, extra if extra > max(FEW, looked // 10) and not explained else 0

    def repair_stray(self, group: Group, name: str, id_: str) -> None:
        """Remove a document whose fields contradict its id. Documents that should exist have been repaired before."""
        bolt = self._catalogue[name]
        for _ in range(ROUNDS):
            check = self._load(bolt, [id_])[id_]
            if check.document is None or group.is_home(bolt, check.document):
                return
            if not self._writer.act(group, bolt, {id_: check}):
                return

    def _round(self, group: Group, bolt: Bolt, ids: list[str]) -> list[str]:
        """Check some documents again, closely; repair those that differ. Return those that were refused."""
        by_meaning = not reads_spouts(bolt)
        low = self._included_by_all(group, bolt) if by_meaning else {}
        again: list[str] = []
        for some in portions(ids, AT_ONCE):
            passed = self._passed(bolt.name, self._refill.state())
            checks = self._load(bolt, some)
            # What a stored document includes is in the Queue: having read that, we know all that it can say.
            self._tail.pump()
            if by_meaning:
                self._passed(bolt.name, self._refill.state())
                group.forget_versions()
            high = group.documents(bolt.name, self._store)
            keys = group.keys(bolt.name, high)
            for id_, check in checks.items():
                check.key = keys.get(id_)
                self._judge(bolt, check, passed, low, high)
            again += self._writer.act(group, bolt, checks)
        return again

    def _included_by_all(self, group: Group, bolt: Bolt) -> _Documents:
        """Return what the documents of a bolt that reads bolts say at least, from the return of this call on.

        The rule of timer bolts, that what differs twice at one version is wrong, would do where nothing comes in. A document of a busy
        area moves on between any two looks, damaged or not, and only its bolt's tuples say which part of it.
        """
        self._tail.pump()
        group.forget_versions()
        low = group.documents(bolt.name, self._store)
        for name in upstream(self._catalogue, [bolt.name]):
            topics = list(self._catalogue[name].reads)
            plain = reads_spouts(self._catalogue[name])
            goal = heads_of({topic: self._tail.numbers[topic] for topic in topics}) if plain else None
            self._wait({name: topics}, goal)
        return low

    def _passed(self, name: str, state: BrokerState) -> dict[str, int]:
        """Return per topic the number that a bolt has saved: what its documents include at least, if they are read after ``state``."""
        self._heads = {topic: head.number for topic, head in state.heads.items()}
        if state.log != self._tail.log:
            return {}
        return {topic: head.number for topic, head in state.bolts.get(name, {}).items()}

    def _wait(self, bolts: Mapping[str, list[str]], goal: Mapping[str, Head] | None) -> BrokerState:
        return wait_for(self._refill, bolts, goal, self._wanted.timeout, self._tail.keep_up)

    def _judge(
        self, bolt: Bolt, check: Check, passed: Mapping[str, int], low: _Documents, high: _Documents
    ) -> None:
        """Say what a document should say: of a bolt that reads spouts, at the numbers that it includes; else something from ``low`` to ``high``.

        Args:
            passed: per topic, the number that it includes at least.
            low: what documents say at least, where the bolt reads bolts.
            high: what documents say with all records that have been read.
        """
        by_meaning, key, document, header = not reads_spouts(bolt), check.key, check.document, check.header
        derived = None if key is None else high.get(key)
        if derived is None or key is None or (by_meaning and document is None and key not in low):
            return
        numbers = dict(passed)
        for topic, number in (header.included(self._tail.log) if header else {}).items():
            numbers[topic] = max(number, numbers.get(topic, 0))
        check.states = states = derived.at(None if by_meaning else numbers)
        if document is None or states is None:
            return
        most = None
        if by_meaning:
            states = agreed_states(bolt, _least(bolt, low.get(key)), states, document, check.parts)
        elif header and header.at and header.at.toward:
            most = derived.at(None)
        found = differences(bolt, key, states, self._areas, document, check.parts, most)
        check.differences = found | self._wrong_in_header(bolt, document, header)

    def _wrong_in_header(self, bolt: Bolt, document: Document, header: Header | None) -> Differences:
        """Return what is wrong with a document's version, or with the numbers that it includes."""
        if header is None:
            return {"_v": ValueChanged(document.get("_v", NOTHING), 1)}
        heads = self._heads | self._tail.numbers
        if header.at and all(
            n <= heads.get(topic, 0) for topic, n in header.included(self._tail.log).items()
        ):
            return {}
        numbers = {topic: self._tail.numbers.get(topic, 0) for topic in bolt.reads}
        at = {"log": self._tail.log, "topics": numbers}
        return {"_at": ValueChanged(document.get("_at", NOTHING), at)}

    def _load(self, bolt: Bolt, ids: list[str]) -> dict[str, Check]:
        stored = self._store.load(bolt.name, ids)
        found = {id_: Check(None, None, None) for id_ in ids}
        for check in load_checks(self._store, bolt, stored.values()):
            assert check.document is not None
            found[check.document["_id"]] = check
        return found


def _least(bolt: Bolt, low: Derived | None) -> States:
    return (low.at(None) if low else None) or [measure.empty() for measure in bolt.measures.values()]
