"""Compares the documents of a group with what was derived, and mends those that differ.

stored ──▶ Queue read to its end ──▶ derived to the same numbers ──▶ equal? ──▶ done
   ▲                                                                  │ no
   └─ refused ◀── written with what all messages say, if the version is as read ──▶ tuple published
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import gevent

from analytics.bolts import BOLTS
from analytics.broker.clients import Refill
from analytics.broker.wire import Head
from analytics.core.agree import NOTHING, Changed, Differences, agreed_states, differences
from analytics.core.areas import Areas
from analytics.core.bolt import Bolt
from analytics.core.derive import States
from analytics.rebuild.group import Group, reads_spouts, upstream
from analytics.rebuild.look import Done, Look
from analytics.rebuild.queue import Tail, heads_of, wait_for
from analytics.rebuild.stored import ALL, at_of, included, parts_of
from analytics.rebuild.write import Writer
from analytics.store import Document, Store
from analytics.store.store import is_version

AT_ONCE = 200
ROUNDS = 50
FEW = 20
PAUSE_SECONDS = 0.2


class Mender:
    """Works on one group after the other.

    Where many documents should not exist, it may be that the journals are those of another data folder: then the bolt's
    documents of the group are left alone.

    ``strays`` are documents that were found where, by their ids, they do not belong; ``spared`` counts, by bolt, those
    that should not exist and were left alone.

    Args:
        done: what became of documents is added to it.
        timeout: seconds to wait for bolts that do not get on.
    """

    def __init__(
        self,
        areas: Areas,
        store: Store,
        refill: Refill,
        tail: Tail,
        writer: Writer,
        timeout: float,
        done: Done,
        remove_many: bool = False,
    ) -> None:
        self._areas = areas
        self._store = store
        self._refill = refill
        self._tail = tail
        self._writer = writer
        self._timeout = timeout
        self.done = done
        self._heads: dict[str, int] = {}
        self._remove_many = remove_many
        self.strays: set[tuple[str, str]] = set()
        self.spared: Counter[str] = Counter()

    def mend(self, group: Group, bolts: Iterable[str]) -> None:
        """Look at the documents of these bolts, and mend what differs."""
        for name in (name for name in upstream(bolts) if name in set(bolts)):
            reads = {topic: self._tail.cut[topic] for topic in BOLTS[name].reads if topic in self._tail.cut}
            if reads:
                self._wait({name: list(reads)}, heads_of(reads))
            doubtful, extra, looked = self._first_look(group, name)
            if extra > max(FEW, looked // 10) and not self._remove_many:
                self.spared[name] += extra
                continue
            for turn in range(ROUNDS):
                if not doubtful:
                    break
                if turn:
                    gevent.sleep(PAUSE_SECONDS)
                doubtful = self._round(group, name, doubtful)
            self.done.restless += [(name, id_) for id_ in doubtful]

    def _first_look(self, group: Group, name: str) -> tuple[list[str], int, int]:
        """Return the ids of documents that may differ: it is cheap, and never passes over one that does.

        And how many of them should perhaps not exist, of how many in all. Those at no hour or day of the area's zone are not
        among them, as far as others take their place: the zone was changed.
        """
        bolt, plain = BOLTS[name], reads_spouts(name)
        passed = self._passed(name)
        states = {} if plain else group.states(name, self._store)
        missing = group.keys(name, group.derived(name) if plain else states)
        replacing, extra, looked = len(missing), 0, 0
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
                look = Look(missing.pop(id_, None), document, parts)
                if look.key is None and group.strays(name, id_):
                    self.strays.add((name, id_))
                    continue
                if plain:
                    self._judge(group, bolt, look, passed)
                elif look.key is not None:
                    self._judge_by_meaning(bolt, look, states[look.key], states[look.key])
                if look.what == "extra":
                    if replacing and not group.begins(name, document):
                        replacing -= 1
                    else:
                        extra += 1
                elif not look.what:
                    self._writer.remove_orphans(bolt, document)
                if look.what or self._runs_ahead(bolt, document):
                    doubtful.append(id_)
            self._tail.keep_up()
            gevent.sleep(0)
        if plain:
            doubtful += [id_ for id_, key in missing.items() if group.at(name, key, passed) is not None]
        else:
            doubtful += missing
        self.done.looked[name] += looked
        return doubtful, extra, looked

    def mend_stray(self, group: Group, name: str, id_: str) -> None:
        """Remove a document whose fields put it elsewhere than its id, where that is not one that should exist.

        Those that should have been mended by now.
        """
        for _ in range(ROUNDS):
            look = self._load(BOLTS[name], [id_])[id_]
            if look.document is None or group.is_home(name, look.document):
                return
            if not self._writer.act(group, BOLTS[name], {id_: look}):
                return

    def _round(self, group: Group, name: str, ids: list[str]) -> list[str]:
        """Look again, closely, at some documents; mend those that differ. Return those that were refused."""
        again: list[str] = []
        if reads_spouts(name):
            for begin in range(0, len(ids), AT_ONCE):
                again += self._writer.act(
                    group, BOLTS[name], self._close_looks(group, name, ids[begin : begin + AT_ONCE])
                )
            return again
        self._tail.pump()
        group.forget_versions()
        low = group.states(name, self._store)
        self._wait_for_chain(name)
        loaded = {
            id_: look
            for begin in range(0, len(ids), AT_ONCE)
            for id_, look in self._load(BOLTS[name], ids[begin : begin + AT_ONCE]).items()
        }
        self._tail.pump()
        self._passed(name)
        group.forget_versions()
        high = group.states(name, self._store)
        keys = group.keys(name, high)
        for id_, look in loaded.items():
            look.key = keys.get(id_)
            if look.key is None or (look.document is None and look.key not in low):
                continue
            self._judge_by_meaning(BOLTS[name], look, low.get(look.key), high[look.key])
        items = list(loaded.items())
        for begin in range(0, len(items), AT_ONCE):
            again += self._writer.act(group, BOLTS[name], dict(items[begin : begin + AT_ONCE]))
        return again

    def _close_looks(self, group: Group, name: str, ids: list[str]) -> dict[str, Look]:
        bolt, passed = BOLTS[name], self._passed(name)
        looks = self._load(bolt, ids)
        # What a stored document includes is in the Queue: having read that, we know all that it can say.
        self._tail.pump()
        keys = group.keys(name, group.derived(name))
        for id_, look in looks.items():
            look.key = keys.get(id_)
            self._judge(group, bolt, look, passed)
        return looks

    def _passed(self, name: str) -> dict[str, int]:
        """Return per topic the number that a bolt has saved: what its documents include at least."""
        state = self._refill.state()
        self._heads = {topic: head.number for topic, head in state.heads.items()}
        if state.log != self._tail.log:
            return {}
        return {topic: head.number for topic, head in state.bolts.get(name, {}).items()}

    def _wait_for_chain(self, name: str) -> None:
        """Return when a bolt's documents include all that has been read of the spouts' topics."""
        for one in upstream([name]):
            topics = list(BOLTS[one].reads)
            plain = reads_spouts(one)
            goal = heads_of({topic: self._tail.numbers[topic] for topic in topics}) if plain else None
            self._wait({one: topics}, goal)

    def _wait(self, bolts: Mapping[str, list[str]], goal: Mapping[str, Head] | None) -> None:
        wait_for(self._refill, bolts, goal, self._timeout, self._tail.keep_up)

    def _judge(self, group: Group, bolt: Bolt, look: Look, passed: Mapping[str, int]) -> None:
        """Say what a document of a bolt that reads spouts should say at the numbers that it includes."""
        numbers, document = dict(passed), look.document
        at = at_of(document) if document is not None else None
        for topic, number in included(at, self._tail.log).items():
            numbers[topic] = max(number, numbers.get(topic, 0))
        look.states = None if look.key is None else group.at(bolt.name, look.key, numbers)
        if document is None or look.key is None or look.states is None:
            return
        half = at is not None and "toward" in at
        most = group.at(bolt.name, look.key, None) if half else None
        look.differences = differences(bolt, look.key, look.states, self._areas, document, look.parts, most)
        look.differences |= self._own_differences(document, at, bolt)

    def _judge_by_meaning(self, bolt: Bolt, look: Look, low: States | None, high: States) -> None:
        """Say what a document of a bolt that reads bolts should say."""
        look.states = high
        if look.document is None or look.key is None:
            return
        empty = [measure.empty() for measure in bolt.measures.values()]
        agreed = agreed_states(bolt, low or empty, high, look.document, look.parts)
        look.differences = differences(bolt, look.key, agreed, self._areas, look.document, look.parts)
        look.differences |= self._own_differences(look.document, at_of(look.document), bolt)

    def _own_differences(self, document: Document, at: Mapping[str, Any] | None, bolt: Bolt) -> Differences:
        """Return what is wrong with a document's version, and with the numbers that it includes."""
        found: Differences = {}
        if not is_version(document):
            found["_v"] = Changed(document.get("_v", NOTHING), 1)
        heads = self._heads | self._tail.numbers
        if at is None or any(n > heads.get(topic, 0) for topic, n in included(at, self._tail.log).items()):
            numbers = {topic: self._tail.numbers.get(topic, 0) for topic in bolt.reads}
            found["_at"] = Changed(document.get("_at", NOTHING), {"log": self._tail.log, "topics": numbers})
        return found

    def _runs_ahead(self, bolt: Bolt, document: Document) -> bool:
        """Whether a document includes messages that have not been read here yet."""
        numbers = included(at_of(document), self._tail.log)
        return any(n > self._tail.numbers.get(topic, ALL) for topic, n in numbers.items())

    def _load(self, bolt: Bolt, ids: list[str]) -> dict[str, Look]:
        stored = self._store.load(bolt.name, ids)
        looks = {id_: Look(None, None, None) for id_ in ids}
        for document, parts in self._with_parts(bolt, stored.values()):
            looks[document["_id"]] = Look(None, document, parts)
        return looks

    def _with_parts(
        self, bolt: Bolt, documents: Iterable[Document]
    ) -> Iterator[tuple[Document, list[Document] | None]]:
        """Yield documents with their parts, None where one is missing."""
        for document in documents:
            ids = parts_of(document)
            found = self._store.load(bolt.name, ids) if ids else {}
            complete = len(found) == len(ids) and ("parts" not in document or bool(ids))
            yield document, [found[one] for one in ids] if complete else None
