"""From broker and workers to an engine and back, again and again: every record counts once."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import gevent
import pytest
from msgspec.structs import replace
from near_engine import InlineEngine, differing

from analytics.broker.broker import Broker
from analytics.broker.wire import BrokerState
from analytics.config import (
    AreaSection,
    BrokerSection,
    Config,
    EngineSection,
    Game,
    GamelogSection,
    Source,
    TimersSection,
    WorkerSection,
    areas,
    catalogue,
    groups,
)
from analytics.core.periods import DATES
from analytics.core.reference import Reference
from analytics.engine import seen
from analytics.engine.adopt import NotHandedOver, adopt, begin_to_count, release
from analytics.engine.live import EngineDriver
from analytics.engine.seen import CountedRecords
from analytics.errors import LogError, Unavailable
from analytics.runtime import connections
from analytics.runtime.balance import balance, engine_balance
from analytics.runtime.draining import drain
from analytics.runtime.engine_progress import engine_report
from analytics.runtime.nodes import all_readers, readers
from analytics.runtime.worker import Worker
from analytics.spouts.ends import Ends
from analytics.spouts.gamelog import GamelogSpout
from analytics.spouts.stdin import Piped
from analytics.store import MemoryStore
from analytics.testing.ports import free_ports

AREA = "549140c8dbdb67794fc0fa3b"
NOON = 1_420_688_004
PATIENCE = 600.0


class KeptStore(MemoryStore):
    def close(self) -> None:
        """Stay."""


def lines(random: Random, count: int) -> list[bytes]:
    """Return lines of a game log."""
    found = []
    for _ in range(count):
        code = random.choice(["login_logcount", "signup_logcount", "yuanbao_logchange", "strange_log"])
        data: dict[str, Any] = {"corpid": 1, "acct": f"u{random.randrange(60)}"}
        if code == "yuanbao_logchange":
            data |= {"amount": random.randrange(-50, 50), "reason": random.choice(["shop", "gift"])}
        ts = NOON + random.randrange(3 * 86_400)
        found.append(
            json.dumps({"op": {"code": code, "id": 1}, "area": AREA, "ts": ts, "data": data}).encode()
        )
    return found


class HandedOver:
    """A log that grows, and the suite that counts it now by a broker, now by an engine."""

    def __init__(self, folder: Path) -> None:
        self.random = Random(5)
        self.store = KeptStore()
        self.log = folder / "game.log"
        self.written: list[bytes] = []
        receiver, sender, refill = free_ports(3)
        self.config = Config(
            data=folder / "data",
            broker=BrokerSection(
                receiver_port=receiver, sender_port=sender, refill_port=refill, min_free_mb=1, fsync=False
            ),
            worker=WorkerSection(flush_seconds=0.02),
            timers=TimersSection(every_seconds=0),
            gamelog=GamelogSection(
                batch_seconds=0.05,
                batch_lines=100,
                sources=[Source(name="s1", kind="file", path=str(self.log), poll_seconds=0.05)],
            ),
            games={"dl": Game(areas={AREA: AreaSection(plat="1")})},
        )
        self.with_engine = replace(
            self.config, engine=EngineSection(kind="local", block_mb=0.02, batch_mb=0.06)
        )
        self.said: list[str] = []
        self._running: dict[Any, Any] = {}

    def write(self, count: int = 400) -> None:
        some = lines(self.random, count)
        self.written += some
        with self.log.open("ab") as file:
            file.write(b"\n".join(some) + b"\n")

    def count_by_broker(self) -> BrokerState:
        """Count what was written, and stop; return the broker's last state."""
        broker = self.start_broker()
        self._read(self.config)
        drain(self.config, PATIENCE)
        state: BrokerState = broker.facts()
        self.stop()
        return state

    def start_broker(self) -> Broker:
        """Start a broker and a worker."""
        found = self._start(
            Broker(self.config.broker, self.config.data, readers(self.config), all_readers(self.config))
        )
        self._start(Worker(self.config, next(iter(groups(self.config).values())), "worker"))
        assert isinstance(found, Broker)
        return found

    def count_by_engine(self) -> EngineDriver:
        """Count what was written, and stop; return the driver."""
        begin_to_count(self.with_engine, self.store)
        self._read(self.with_engine)
        self.stop()
        return self.count_journals()

    def count_journals(self) -> EngineDriver:
        """Count what is reported of the journals; return the driver."""
        driver = self.driver()
        while driver.step():
            pass
        driver.close()
        return driver

    def driver(self) -> EngineDriver:
        return EngineDriver(self.with_engine, self.store, InlineEngine(self.store, self.random))

    def pipe(self, config: Config, data: bytes) -> str:
        """Pipe lines in; return what is said of them."""
        (file := self.config.data / "piped").write_bytes(data)  # more than a pipe holds
        reading = os.open(file, os.O_RDONLY)
        piped = Piped(config, accepted=CountedRecords(config))
        said = str(piped.read(reading))
        piped.close()
        os.close(reading)
        return said

    def adopt(self) -> None:
        adopt(self.with_engine, self.store, self.said.append)

    def release(self) -> None:
        release(self.with_engine, self.store, self.said.append)

    def check(self) -> None:
        """Compare all documents with those of the reference runner."""
        reference = Reference(catalogue(self.config).values(), areas(self.config))
        for line in self.written:
            record = json.loads(line)
            reference.put(f"gamelog.{record['op']['code']}", [record])
        expected = {
            (name, id): _sorted(document)
            for name in catalogue(self.config)
            for id, document in reference.documents(name).items()
        }
        found = {
            (name, one["_id"]): _sorted(
                {key: value for key, value in one.items() if key[0] != "_" and key not in ("updated", *DATES)}
            )
            for name in catalogue(self.config)
            for one in self.store.find(name)
        }
        assert not differing(expected, found) and len(expected) > 20

    def stop(self) -> None:
        """Stop what runs, spouts first."""
        for node, greenlet in reversed(list(self._running.items())):
            greenlet.kill()
            node.stop()
        self._running.clear()

    def read_some(self, config: Config, most: int = 150) -> GamelogSpout:
        """Have the spout read while the log may grow; return it, to be stopped or killed."""
        spout: GamelogSpout = self._start(GamelogSpout(config))
        wanted = spout.state()["published"] + self.random.randrange(1, most)
        with gevent.Timeout(PATIENCE):
            while spout.state()["published"] < wanted:
                gevent.sleep(0.005)
        self._running.pop(spout).kill()
        return spout

    def _read(self, config: Config) -> None:
        """Have the spout read the log to its end."""
        spout = self._start(GamelogSpout(config))
        path = self.log

        def is_read() -> bool:
            state = spout.state()
            return (
                state["idle"]
                and spout._memory.state.sources
                and max(one.offset for one in spout._memory.state.sources.values()) == path.stat().st_size
            )

        with gevent.Timeout(PATIENCE):
            while not is_read():
                gevent.sleep(0.02)

    def _start(self, node: Any) -> Any:
        def steps() -> None:
            while True:
                node.step()

        node.start()
        self._running[node] = gevent.spawn(steps)
        return node


def _sorted(document: dict[str, Any]) -> dict[str, Any]:
    return {
        key: sorted(value, key=str) if isinstance(value, list) else value
        for key, value in document.items()
        if key != "parts"
    }


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HandedOver]:
    made = HandedOver(tmp_path)
    for module in (connections, seen):
        monkeypatch.setattr(module, "open_store", lambda config: made.store)
    yield made
    made.stop()


def test_every_record_counts_once_whoever_counts(suite: HandedOver) -> None:
    for _ in range(2):
        suite.write()
        state = suite.count_by_broker()
        sums = balance(state, {}, readers(suite.config))
        assert not sums.faults and not sums.lag
        assert sum(one.ever_accepted for one in sums.spouts) == len(suite.written)
        suite.adopt()
        suite.check()
        suite.write()
        driver = suite.count_by_engine()
        suite.check()
        assert sum(driver.state()["records"].values()) == len(suite.written)
        suite.release()
    suite.write()
    suite.count_by_broker()
    suite.check()


def test_journals_that_are_piped_in_again_change_nothing(suite: HandedOver) -> None:
    suite.write()
    suite.count_by_broker()
    suite.adopt()
    old = b"".join(path.read_bytes() for path in sorted(suite.config.data.glob("gamelog_*.txt")))
    suite.write(50)
    assert suite.pipe(suite.with_engine, old) == "read 400, accepted 0, repeated 400, rejected 0"
    new = b"".join(path.read_bytes() for path in sorted(suite.config.data.glob("gamelog_*.txt")))
    suite.count_by_engine()
    suite.pipe(suite.with_engine, new + old)
    suite.count_by_engine()
    suite.check()


def test_a_shared_folder_that_is_away_is_waited_for(suite: HandedOver) -> None:
    suite.write()
    begin_to_count(suite.with_engine, suite.store)
    suite._read(suite.with_engine)
    suite.stop()
    away = suite.config.data.with_name("away")
    suite.config.data.rename(away)
    driver = suite.driver()
    with pytest.raises(Unavailable, match="shared folder"):
        driver.step()
    away.rename(suite.config.data)
    while driver.step():
        pass
    driver.close()
    suite.check()


def test_neither_counts_what_the_other_does(suite: HandedOver) -> None:
    suite.write()
    suite.count_by_broker()
    with pytest.raises(NotHandedOver, match="engine adopt"):
        begin_to_count(suite.with_engine, suite.store)
    problem = engine_report(suite.with_engine, suite.store).problem
    assert "engine adopt" in problem and engine_balance({}, {}, problem).faults == [problem]
    with pytest.raises(NotHandedOver, match="nothing to release"):
        suite.release()
    suite.adopt()
    assert not engine_report(suite.with_engine, suite.store).problem
    with pytest.raises(NotHandedOver, match="counts already"):
        suite.adopt()
    with pytest.raises(LogError, match="engine release"):
        suite.count_by_broker()
    suite.stop()
    suite.write()
    begin_to_count(suite.with_engine, suite.store)
    suite._read(suite.with_engine)
    suite.stop()
    with pytest.raises(NotHandedOver, match="bytes of journals are not counted"):
        suite.release()


def test_what_workers_have_not_counted_keeps_the_broker(suite: HandedOver) -> None:
    suite.write()
    suite._start(
        Broker(suite.config.broker, suite.config.data, readers(suite.config), all_readers(suite.config))
    )
    suite._read(suite.config)
    suite.stop()
    with pytest.raises(NotHandedOver, match="has not counted all of gamelog"):
        suite.adopt()
    suite.count_by_broker()
    suite.adopt()
    suite.check()


def test_nothing_is_lost_nor_counted_twice_while_the_log_grows(suite: HandedOver) -> None:
    """Spouts are stopped or killed at any moment, and what counts changes right after that."""

    def grow() -> None:
        while True:
            suite.write(20)
            gevent.sleep(0.01)

    suite.write(20)
    growing = gevent.spawn(grow)
    for _ in range(2):
        suite.start_broker()
        spout = suite.read_some(suite.config)
        suite.random.choice([spout.stop, spout.abandon])()
        drain(suite.config, PATIENCE)
        suite.stop()
        suite.adopt()
        begin_to_count(suite.with_engine, suite.store)
        spout = suite.read_some(suite.with_engine)
        suite.random.choice([spout.stop, spout.abandon])()
        suite.count_journals()
        with suppress(NotHandedOver):  # a killed spout may not have reported all that it has noted
            suite.release()
            continue
        suite.read_some(suite.with_engine).stop()
        suite.count_journals()
        suite.release()
    growing.kill()
    suite.count_by_broker()
    suite.check()


def test_what_a_spout_has_noted_but_not_reported_keeps_the_engine(
    suite: HandedOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed in between. The broker would never see these lines: by its notes, the spout has sent them."""
    begin_to_count(suite.with_engine, suite.store)
    suite.write(20)
    suite.count_by_engine()
    with monkeypatch.context() as dying:
        dying.setattr(Ends, "report", lambda ends, found: None)
        suite.write(20)
        suite.read_some(suite.with_engine, 10).stop()
    with pytest.raises(NotHandedOver, match="bytes of journals are not counted"):
        suite.release()
    suite.count_by_engine()
    suite.release()
    suite.count_by_broker()
    suite.check()


def test_what_spouts_read_before_a_handover_waits_for_it(suite: HandedOver) -> None:
    """The configuration names the engine already, or still: a spout that a supervisor starts again then acknowledges nothing."""

    def reads(words: str) -> None:
        suite.write(20)
        spout = suite._start(GamelogSpout(suite.with_engine))
        with gevent.Timeout(PATIENCE):
            while words not in str(spout.state()["blocked"]):
                gevent.sleep(0.01)
        assert spout.state()["published"] == 0
        suite._running.pop(spout).kill()
        spout.abandon()

    suite.write(20)
    suite.count_by_broker()
    reads("engine adopt")
    suite.adopt()
    suite.count_by_engine()
    suite.check()
    suite.release()
    reads("remove engine.kind")
    suite.count_by_broker()
    suite.check()
    suite.adopt()
    suite.count_by_engine()
    suite.check()
