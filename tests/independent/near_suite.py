"""The suite's own broker, worker and timers in this process, over one store and a clock that a test sets."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from plain_numbers import FUNNELS, Record, World

from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher
from analytics.broker.wire import Batch, BatchHeader, Part
from analytics.config import (
    AreaSection,
    BrokerSection,
    Config,
    Game,
    SegmentSection,
    TimersSection,
    WorkerSection,
    catalogue,
)
from analytics.config.sections import FunnelSection
from analytics.rebuild import queue
from analytics.runtime import connections, draining
from analytics.runtime.draining import drain
from analytics.runtime.node import Node
from analytics.runtime.nodes import readers
from analytics.runtime.timers import node as timers_node
from analytics.runtime.timers import schedule
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.node import Timers
from analytics.runtime.timers.wanted import Wanted
from analytics.runtime.worker import Worker
from analytics.store import Store

WITHIN_SECONDS = 900
MERGED_ON = "2018-10-20"
"""No number depends on it."""


def config_of(world: World, data: Path, broker: BrokerSection) -> Config:
    """Return a configuration with the world's games and areas, each in its own zone."""
    games = {
        game: Game(
            timezone=zone,
            areas={
                id_: AreaSection(
                    plat=one.plat,
                    timezone=one.zone,
                    merged_into=world.merged.get(id_, ""),
                    merged_on=MERGED_ON if id_ in world.merged else "",
                    currency=one.money.area if one.money else "",
                )
                for id_, one in world.areas.items()
                if one.game == game
            },
            **money_of(world, game),
            segments={
                name: SegmentSection(
                    from_=f"{cut.code}.data.{cut.field}", values=list(cut.listed), other=cut.other
                )
                for name, cut in world.segments.get(game, {}).items()
            },
        )
        for game, zone in world.zones.items()
    }
    return Config(
        data=data,
        broker=broker,
        worker=WorkerSection(flush_seconds=0.05),
        timers=TimersSection(every_seconds=600),
        games=games,
        funnels={
            name: FunnelSection(list(steps), f"{within // 3600}h")
            for name, (steps, within) in FUNNELS.items()
        },
    )


def money_of(world: World, game: str) -> dict[str, Any]:
    """Return what a game's configuration says of its money."""
    found = [one.money for one in world.areas.values() if one.game == game and one.money]
    if not found:
        return {}
    rates = {
        currency: {str(day): rate for day, rate in days.items()} for currency, days in found[0].rates.items()
    }
    return {"currency": found[0].game, "rates": rates}


class NearSuite:
    """Runs the nodes as greenlets.

    Args:
        now: what the timers take the time to be, in Unix seconds.
        store: what all of them use; nobody closes it.
    """

    def __init__(
        self, world: World, data: Path, monkeypatch: pytest.MonkeyPatch, now: int, store: Store
    ) -> None:
        self.now, self.store = now, store
        monkeypatch.setattr(store, "close", lambda: None)
        for module in (connections, timers_node):
            monkeypatch.setattr(module, "open_store", lambda config: self.store)
        monkeypatch.setattr(schedule, "QUIET_SECONDS", 0.2)
        monkeypatch.setattr(schedule, "TOTALS_REST", 0.5)
        monkeypatch.setattr(timers_node, "LOOK_SECONDS", 0.02)
        for module in (draining, queue):
            monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
        ports = BrokerSection(receiver_port=0, sender_port=0, refill_port=0, fsync=False, min_free_mb=1)
        self._running: dict[str, tuple[Node, gevent.Greenlet]] = {}
        broker = Broker(ports, data, readers(config_of(world, data, ports)))
        self._start("broker", broker)
        self.config = config_of(world, data, broker.bound)
        self._publisher = Publisher(self.config.broker, "test")
        self._start("worker", Worker(self.config, list(catalogue(self.config)), "worker-main"))
        self.start_timers()

    def start_timers(self) -> None:
        """Start the timers; they go on where the ones before stopped."""
        self.timers = Timers(self.config, now=lambda: self.now)
        self._start("timers", self.timers)

    def stop_timers(self) -> None:
        """End the timers."""
        self._stop("timers")

    def stop(self) -> None:
        """End every node, the broker last."""
        for name in reversed(list(self._running)):
            if name == "broker":
                self._publisher.close()
            self._stop(name)

    def send(self, records: Iterable[Record]) -> None:
        """Publish records, a batch for each source, and wait until they are durable."""
        by_source: dict[str, list[Record]] = defaultdict(list)
        for topic, one in records:
            by_source[one["id"].rpartition(":")[0]].append((topic, one))
        waiting = []
        for source, some in by_source.items():
            by_topic: dict[str, list[bytes]] = defaultdict(list)
            for topic, one in some:
                by_topic[topic].append(msgspec.json.encode(one))
            numbers = sorted(int(one["id"].rpartition(":")[2]) for _, one in some)
            parts = [Part(topic, len(lines), len(lines)) for topic, lines in by_topic.items()]
            header = BatchHeader(source, [(n, n) for n in numbers], parts)
            waiting.append(self._publisher.publish(Batch(header, list(map(b"\n".join, by_topic.values())))))
        for result in waiting:
            result.get(timeout=WITHIN_SECONDS)

    def settled(self, run_after: int) -> None:
        """Wait until everything is counted, and the timers have run more often than ``run_after``."""
        with gevent.Timeout(WITHIN_SECONDS, AssertionError(f"not settled: {self.timers.state()}")):
            drain(self.config, WITHIN_SECONDS)
            while self.timers.state()["runs"] <= run_after or self.timers.state()["changed_days"]:
                self.check()
                gevent.sleep(0.02)

    def by_hand(self, names: set[str], since: date | None, until: date | None) -> None:
        """Have those timer bolts' documents computed anew, of all days or of those."""
        ordinals = [day.toordinal() if day else None for day in (since, until)]
        wanted = Wanted(names, since=ordinals[0], until=ordinals[1])
        by_hand(self.config, self.store, self._publisher, wanted, lambda: self.now)

    def check(self) -> None:
        """Raise what ended a node, if anything has."""
        for _, greenlet in self._running.values():
            if greenlet.ready():
                greenlet.get()

    def documents(self, name: str) -> dict[str, dict[str, Any]]:
        """Return a collection's documents by id."""
        return {one["_id"]: one for one in self.store.find(name)}

    def _start(self, name: str, node: Any) -> None:
        node.start()
        self._running[name] = node, gevent.spawn(_run, node)

    def _stop(self, name: str) -> None:
        node, greenlet = self._running.pop(name)
        greenlet.kill()
        node.stop()


def _run(node: Any) -> None:
    while True:
        node.step()
