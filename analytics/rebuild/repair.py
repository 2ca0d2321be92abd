"""Compares the documents of a group with what was derived, and repairs those that differ.

stored ──▶ Queue read to its end ──▶ derived to the same numbers ──▶ equal? ──▶ done
   ▲                                                                  │ no
   └─ refused ◀── written with what all messages say, if the version is as read ──▶ tuple published
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

import gevent

from analytics.broker.clients import Refill
from analytics.broker.wire import Head
from analytics.config import Catalogue
from analytics.core.agree import NOTHING, Differences, ValueChanged, agreed_states, differences
from analytics.core.areas import Areas
from analytics.core.bolt import Bolt
from analytics.core.derive import States
from analytics.rebuild.check import Check, DocumentCounts
from analytics.rebuild.group import Group, reads_spouts, upstream
from analytics.rebuild.queue import Tail, heads_of, wait_for
from analytics.rebuild.stored import ALL, header_of, parts_of
from analytics.rebuild.write import DocumentWriter
from analytics.store import Document, Store
from analytics.store.store import is_version

AT_ONCE = 200
ROUNDS = 50
FEW = 20
PAUSE_SECONDS = 0.2


class Repairer:
    """Works on one group after the other.

    If many documents should not exist, the journals may belong to another data folder: the bolt's documents of the group
    are then left alone. But if the bolt was declared otherwise when they were counted, they are what it made then.

    ``strays`` are documents whose ids put them into another area or period; ``spared`` counts, by bolt, documents that
    should not exist and were left alone.

    Args:
        done: what became of documents is added to it.
        timeout: seconds to wait for bolts that make no progress.
        redeclared: bolts whose documents were counted by another declaration than they have now.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        areas: Areas,
        store: Store,
        refill: Refill,
        tail: Tail,
        writer: DocumentWriter,
        timeout: float,
        done: DocumentCounts,
        remove_many: bool = False,
        redeclared: Collection[str] = (),
    ) -> None:
        self._catalogue = catalogue
        self._areas = areas
        self._store = store
        self._refill = refill
        self._tail = tail
        self._writer = writer
        self._timeout = timeout
        self.done = done
        self._heads: dict[str, int] = {}
        self._remove_many = remove_many
        self._redeclared = redeclared
        self.strays: set[tuple[str, str]] = set()
        self.spared: Counter[str] = Counter()

    def repair(self, group: Group, bolts: Iterable[str]) -> None:
        """Check the documents of these bolts, and repair what differs."""
        for name in (name for name in upstream(self._catalogue, bolts) if name in set(bolts)):
            reads = {
                topic: self._tail.cut[topic]
                for topic in self._catalogue[name].reads
                if topic in self._tail.cut
            }
            if reads:
                self._wait({name: list(reads)}, heads_of(reads))
            doubtful, too_many = self._first_pass(group, name)
            if too_many and not self._remove_many:
                self.spared[name] += too_many
                continue
            for turn in range(ROUNDS):
                if not doubtful:
                    break
                if turn:
                    gevent.sleep(PAUSE_SECONDS)
                doubtful = self._round(group, name, doubtful)
            self.done.restless += [(name, id_) for id_ in doubtful]

    def _first_pass(self, group: Group, name: str) -> tuple[list[str], int]:
        """Return the ids of documents that may differ, and how many would have to go, if that is suspiciously many.

        The pass is cheap, and misses no document that differs. Documents at no hour or day of the area's zone do not count as
        extra as far as others replace them: the zone was changed.
        """
        bolt = self._catalogue[name]
        plain = reads_spouts(bolt)
        passed = self._passed(name)
        states = {} if plain else group.states(name, self._store)
        missing = group.keys(name, group.derived(name) if plain else states)
        replacing, extra, looked = len(missing), 0, 0
        explained = name in self._redeclared and bool(missing)
        doubtful, versions = [], group.versions.setdefault(name, {})
        since, until = group.bounds(name)
        found = self._store.find(name, area=group.area.id, since=since, until=until, batch=AT_ONCE)
        while some := list(islice(found, AT_ONCE)):
            for document, parts in self._with_parts(bolt, some):
                id_ = document["_id"]
                if not isinstance(id_, str):
                    self._writer.remove_foreign(bolt, document)
                    continue
                if not group.share.holds(id_):
                    continue
                looked += 1
                version = document.get("_v")
                versions[id_] = version if isinstance(version, int) else 0
                check = Check(missing.pop(id_, None), document, parts)
                if check.key is None and group.strays(name, id_):
                    self.strays.add((name, id_))
                    continue
                if plain:
                    self._judge(group, bolt, check, passed)
                elif check.key is not None:
                    self._judge_by_meaning(bolt, check, states[check.key], states[check.key])
                if check.what == "extra":
                    if replacing and not group.begins(name, document):
                        replacing -= 1
                    else:
                        extra += 1
                elif not check.what:
                    self._writer.remove_orphans(bolt, document)
                if check.what or self._runs_ahead(bolt, document):
                    doubtful.append(id_)
            self._tail.keep_up()
            gevent.sleep(0)
        if plain:
            doubtful += [id_ for id_, key in missing.items() if group.at(name, key, passed) is not None]
        else:
            doubtful += missing
        self.done.looked[name] += looked
        return doubtful, extra if extra > max(FEW, looked // 10) and not explained else 0

    def repair_stray(self, group: Group, name: str, id_: str) -> None:
        """Remove a document whose fields contradict its id. Documents that should exist have been repaired before."""
        for _ in range(ROUNDS):
            check = self._load(self._catalogue[name], [id_])[id_]
            if check.document is None or group.is_home(self._catalogue[name], check.document):
                return
            if not self._writer.act(group, self._catalogue[name], {id_: check}):
                return

    def _round(self, group: Group, name: str, ids: list[str]) -> list[str]:
        """Check some documents again, closely; repair those that differ. Return those that were refused."""
        again: list[str] = []
        if reads_spouts(self._catalogue[name]):
            for begin in range(0, len(ids), AT_ONCE):
                again += self._writer.act(
                    group,
                    self._catalogue[name],
                    self._compare_closely(group, name, ids[begin : begin + AT_ONCE]),
                )
            return again
        self._tail.pump()
        group.forget_versions()
        low = group.states(name, self._store)
        self._wait_for_chain(name)
        loaded = {
            id_: check
            for begin in range(0, len(ids), AT_ONCE)
            for id_, check in self._load(self._catalogue[name], ids[begin : begin + AT_ONCE]).items()
        }
        self._tail.pump()
        self._passed(name)
        group.forget_versions()
        high = group.states(name, self._store)
        keys = group.keys(name, high)
        for id_, check in loaded.items():
            check.key = keys.get(id_)
            if check.key is None or (check.document is None and check.key not in low):
                continue
            self._judge_by_meaning(self._catalogue[name], check, low.get(check.key), high[check.key])
        items = list(loaded.items())
        for begin in range(0, len(items), AT_ONCE):
            again += self._writer.act(group, self._catalogue[name], dict(items[begin : begin + AT_ONCE]))
        return again

    def _compare_closely(self, group: Group, name: str, ids: list[str]) -> dict[str, Check]:
        bolt, passed = self._catalogue[name], self._passed(name)
        checks = self._load(bolt, ids)
        # What a stored document includes is in the Queue: having read that, we know all that it can say.
        self._tail.pump()
        keys = group.keys(name, group.derived(name))
        for id_, check in checks.items():
            check.key = keys.get(id_)
            self._judge(group, bolt, check, passed)
        return checks

    def _passed(self, name: str) -> dict[str, int]:
        """Return per topic the number that a bolt has saved: what its documents include at least."""
        state = self._refill.state()
        self._heads = {topic: head.number for topic, head in state.heads.items()}
        if state.log != self._tail.log:
            return {}
        return {topic: head.number for topic, head in state.bolts.get(name, {}).items()}

    def _wait_for_chain(self, name: str) -> None:
        """Return when a bolt's documents include all that has been read of the spouts' topics."""
        for one in upstream(self._catalogue, [name]):
            topics = list(self._catalogue[one].reads)
            plain = reads_spouts(self._catalogue[one])
            goal = heads_of({topic: self._tail.numbers[topic] for topic in topics}) if plain else None
            self._wait({one: topics}, goal)

    def _wait(self, bolts: Mapping[str, list[str]], goal: Mapping[str, Head] | None) -> None:
        wait_for(self._refill, bolts, goal, self._timeout, self._tail.keep_up)

    def _judge(self, group: Group, bolt: Bolt, check: Check, passed: Mapping[str, int]) -> None:
        """Say what a document of a bolt that reads spouts should say at the numbers that it includes."""
        numbers, header = dict(passed), check.header
        for topic, number in (header.included(self._tail.log) if header else {}).items():
            numbers[topic] = max(number, numbers.get(topic, 0))
        check.states = None if check.key is None else group.at(bolt.name, check.key, numbers)
        if check.document is None or check.key is None or check.states is None:
            return
        most = group.at(bolt.name, check.key, None) if header and header.toward else None
        check.differences = differences(
            bolt, check.key, check.states, self._areas, check.document, check.parts, most
        ) | self._own_differences(check.document, bolt)

    def _judge_by_meaning(self, bolt: Bolt, check: Check, low: States | None, high: States) -> None:
        """Say what a document of a bolt that reads bolts should say."""
        check.states = high
        if check.document is None or check.key is None:
            return
        empty = [measure.empty() for measure in bolt.measures.values()]
        agreed = agreed_states(bolt, low or empty, high, check.document, check.parts)
        check.differences = differences(
            bolt, check.key, agreed, self._areas, check.document, check.parts
        ) | self._own_differences(check.document, bolt)

    def _own_differences(self, document: Document, bolt: Bolt) -> Differences:
        """Return what is wrong with a document's version, and with the numbers that it includes."""
        found: Differences = {}
        if not is_version(document):
            found["_v"] = ValueChanged(document.get("_v", NOTHING), 1)
        heads, header = self._heads | self._tail.numbers, header_of(document)
        if header is None or any(
            n > heads.get(topic, 0) for topic, n in header.included(self._tail.log).items()
        ):
            numbers = {topic: self._tail.numbers.get(topic, 0) for topic in bolt.reads}
            found["_at"] = ValueChanged(
                document.get("_at", NOTHING), {"log": self._tail.log, "topics": numbers}
            )
        return found

    def _runs_ahead(self, bolt: Bolt, document: Document) -> bool:
        """Whether a document includes messages that have not been read here yet."""
        header = header_of(document)
        numbers = header.included(self._tail.log) if header else {}
        return any(n > self._tail.numbers.get(topic, ALL) for topic, n in numbers.items())

    def _load(self, bolt: Bolt, ids: list[str]) -> dict[str, Check]:
        stored = self._store.load(bolt.name, ids)
        checks = {id_: Check(None, None, None) for id_ in ids}
        for document, parts in self._with_parts(bolt, stored.values()):
            checks[document["_id"]] = Check(None, document, parts)
        return checks

    def _with_parts(
        self, bolt: Bolt, documents: Iterable[Document]
    ) -> Iterator[tuple[Document, list[Document] | None]]:
        """Yield documents with their parts, None where one is missing."""
        for document in documents:
            ids = parts_of(document)
            found = self._store.load(bolt.name, ids) if ids else {}
            complete = len(found) == len(ids) and ("parts" not in document or bool(ids))
            yield document, [found[one] for one in ids] if complete else None
