"""The suite in this process, with a journal of what it is sent, and hands that change documents behind its back."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import gevent
import msgspec
from msgspec.structs import replace
from near_suite import NearSuite, config_of
from plain_numbers import Record
from raw_months import world

from analytics.bolts import BOLTS
from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher, Refill
from analytics.broker.wire import Batch
from analytics.config import BrokerSection, Game, areas, catalogue
from analytics.core.periods import DATES
from analytics.core.reference import Reference
from analytics.rebuild.check import DifferingDocument
from analytics.rebuild.run import Rebuild
from analytics.rebuild.selection import RebuildResult, Selection
from analytics.runtime.nodes import readers
from analytics.runtime.timers.collections import WRITTEN
from analytics.runtime.worker import Worker
from analytics.store import MemoryStore
from analytics.store.store import Document, Write
from analytics.timers import NAMES as TIMERS

EVERY = catalogue(config_of(world(), Path(), BrokerSection()))
ALL = Selection(tuple(EVERY), TIMERS, EVERY)
Stored = dict[tuple[str, str], dict[str, Any]]


def expected(suite: "JournalingSuite", records: Iterable[Record]) -> Stored:
    """Return what bolts should have, by the reference runner."""
    reference = Reference(catalogue(suite.config).values(), areas(suite.config))
    for topic, one in records:
        reference.put(topic, [one])
    return {
        (name, id_): {
            field: sorted(value) if isinstance(value, list) else value for field, value in document.items()
        }
        for name in catalogue(suite.config)
        for id_, document in reference.documents(name).items()
    }


class Killed(BaseException):
    """Ends a rebuild as kill -9 would: nothing that it does after that happens."""


class YieldingStore(MemoryStore):
    """Gives others a turn at each call, as a real store does. While ``shut``, bolts wait for their writes.

    It answers them ``late`` seconds after a write.
    """

    shut = False
    late = 0.0

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        gevent.sleep(0)
        return super().load(collection, ids)

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        gevent.sleep(0)
        while self.shut:
            gevent.sleep(0.01)
        refused = super().write(collection, writes)
        if self.late and collection in BOLTS:
            gevent.sleep(self.late)
        return refused

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        gevent.sleep(0)
        super().delete(collection, ids)

    def remove(self, collection: str, id: str, version: object) -> bool:
        gevent.sleep(0)
        return super().remove(collection, id, version)


class MortalStore:
    """The store as a rebuild sees it that is killed after some more steps."""

    def __init__(self, suite: "JournalingSuite") -> None:
        self._suite = suite

    def __getattr__(self, name: str) -> Any:
        store = self._suite.store
        if name in ("write", "delete", "remove"):
            return lambda *arguments: self._suite.step(lambda: getattr(MemoryStore, name)(store, *arguments))
        return getattr(store, name)


class MortalPublisher:
    """The publisher as such a rebuild sees it."""

    def __init__(self, suite: "JournalingSuite", publisher: Publisher) -> None:
        self._suite = suite
        self._publisher = publisher

    def publish(self, batch: Batch) -> Any:
        return self._suite.step(lambda: self._publisher.publish(batch))


class JournalingSuite(NearSuite):
    """Journals records, a file for each call and spout, before it publishes them."""

    files = 0
    left: int | None = None
    does_the_last = False
    interfere: Callable[[], None] = staticmethod(lambda: None)

    def kill_after(self, steps: int | None, does_the_last: bool = False) -> None:
        """Kill a rebuild at that step, before or after it does that."""
        self.left, self.does_the_last = steps, does_the_last

    def with_areas(self, **fields: str) -> None:
        """Start the bolts again with some keys of every area changed."""
        self.with_games(
            {
                name: replace(of, areas={id_: replace(area, **fields) for id_, area in of.areas.items()})
                for name, of in self.config.games.items()
            }
        )

    def with_games(self, games: dict[str, Game]) -> None:
        """Start the bolts again with other games."""
        for name in ("timers", "worker"):
            self._stop(name)
        self.config = replace(self.config, games=games)
        self._start("worker", Worker(self.config, list(catalogue(self.config)), "worker-main"))
        self.start_timers()

    def without_queue(self, action: Callable[[], None]) -> None:
        """Stop the bolts, do something, and remove the Queue before they start again."""
        for name in ("timers", "worker"):
            self._stop(name)
        action()
        self._stop("broker")
        shutil.rmtree(self.config.data / "queue")
        self._start("broker", Broker(self.config.broker, self.config.data, readers(self.config)))
        self._start("worker", Worker(self.config, list(catalogue(self.config)), "worker-main"))
        self.start_timers()

    def step(self, action: Callable[[], Any]) -> Any:
        self.interfere()
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                if self.does_the_last:
                    action()
                raise Killed
        return action()

    def send(self, records: Iterable[Record]) -> None:
        records = list(records)
        self.journal(records)
        super().send(records)

    def journal(self, records: Iterable[Record]) -> None:
        """Write records to journals, and do not publish them."""
        self.files += 1
        lines: dict[str, list[bytes]] = defaultdict(list)
        for topic, one in records:
            lines[topic.partition(".")[0]].append(msgspec.json.encode(one) + b"\n")
        for spout, some in lines.items():
            name = f"{spout}_{201801010000 + self.files}.txt"
            (self.config.data / name).write_bytes(b"".join(some))

    def rebuild(self, wanted: Selection = ALL) -> tuple[RebuildResult, list[DifferingDocument]]:
        """Rebuild; return what came of it and the documents that it told of."""
        told: list[DifferingDocument] = []
        store, publisher = MortalStore(self), MortalPublisher(self, self._publisher)
        outcome = Rebuild(self.config, store, publisher, wanted, told.append, now=lambda: self.now).run()
        return outcome, told

    def stored(self) -> Stored:
        """Return everything in the store, parts included."""
        return {
            (name, id_): document
            for name in [*catalogue(self.config), *WRITTEN]
            for id_, document in self.raw(name).items()
        }

    def raw(self, name: str) -> dict[str, dict[str, Any]]:
        ids = list(self.store._collections.get(name, {}))
        return self.store.load(name, ids)

    def public(self) -> Stored:
        """Return every document as readers see it, lists complete and sorted."""
        return {
            (name, one["_id"]): {
                field: sorted(value) if isinstance(value, list) else value
                for field, value in self.store.whole(name, one).items()
                if not field.startswith("_") and field not in ("updated", "parts", *DATES)
            }
            for name in [*catalogue(self.config), *WRITTEN]
            for one in self.store.find(name)
        }

    def heads(self) -> dict[str, int]:
        """Return the numbers of all topics in the Queue."""
        refill = Refill(self.config.broker, 60)
        try:
            return {topic: head.number for topic, head in refill.state().heads.items()}
        finally:
            refill.close()


class Hand:
    """Changes documents as somebody with a MongoDB client would."""

    def __init__(self, suite: JournalingSuite, random: Random) -> None:
        self._suite = suite
        self._random = random
        self.touched: dict[tuple[str, str], str] = {}

    def change(self, name: str) -> None:
        """Change a field, or a list, of a document."""
        _, document = self._some(name)
        random = self._random
        fields = [
            field
            for field, value in document.items()
            if field not in ("_id", "_v", "_at", "parts", "updated", "_run")
            and not (isinstance(value, list) and not value)
        ]
        field = random.choice([one for one in fields if one not in ("area", "ts")])
        value = document[field]
        if isinstance(value, list):
            document[field] = value[:-1]
        elif isinstance(value, int | float):
            document[field] = value + 7
        elif field.startswith("_"):
            document[field] = "damaged"
        else:
            document[field] = {"damaged": True}
        self._put(name, document, "changed")

    def delete(self, name: str) -> None:
        """Delete a document."""
        id_, _ = self._some(name)
        self._suite.store.delete(name, [id_])
        self.touched[name, id_] = "missing"

    def invent(self, name: str) -> None:
        """Make a document that no record speaks of, by copying one to another day or acct."""
        _, document = self._some(name)
        document = deepcopy(document)
        bolt = catalogue(self._suite.config)[name]
        if bolt.period is not None:
            document["ts"] += 86400 * 365 * 2
        else:
            document[next(iter(bolt.by))] = "nobody"
        document["_id"] = bolt.id_of(tuple(document[field] for field in bolt.key_fields))
        self._put(name, document, "extra")

    def _some(self, name: str) -> tuple[str, dict[str, Any]]:
        documents = [one for one in self._suite.store.find(name) if (name, one["_id"]) not in self.touched]
        document = self._random.choice(documents)
        return document["_id"], document

    def _put(self, name: str, document: dict[str, Any], what: str) -> None:
        self._suite.store.write(name, [Write(document["_id"], document, None)])
        self.touched[name, document["_id"]] = what
