"""Kills the processes of a running suite, and of its store, while records flow in, and then compares every number.

Records come from a log that rotates, from a web server that fails now and then and is restarted, over TCP, from standard
input (each stream more than once), and from journals that are replayed forwards and backwards; a payment and a role
interface are polled. Some lines are broken. In the end every document must equal the reference runner's, those of timer bolts
what one run by hand makes of these, and the balance must add up: the same records, whatever died whenever.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import gevent

from analytics.config import Config, areas, load
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.draining import drain
from analytics.runtime.suite import Suite
from analytics.runtime.timers.game_requests import GameRequests
from analytics.store import open_store
from analytics.testing.broken_engine import BrokenEngine, EngineKind, open_broken_engine
from analytics.testing.broken_store import EMBEDDED, BrokenStore, open_broken
from analytics.testing.comparing import differences, timer_documents
from analytics.testing.counted import counted_by
from analytics.testing.feed import Feed
from analytics.testing.pipes import Pipes
from analytics.testing.service import Service
from analytics.testing.setting import configure
from analytics.testing.supervised import Supervised
from analytics.testing.tcp_sender import TcpSender
from analytics.testing.world import PaymentInterface, RoleInterface, RotatedLog, Web

NODES = [["broker"], ["gamelog"], ["payment"], ["syncuser"], ["workers"], ["timers"]]
NODES_WITH_ENGINE = [["engine"], ["gamelog"], ["payment"], ["syncuser"], ["timers"]]
LINES_A_STREAM = 4_000
FEED_SECONDS = 0.1
PATIENCE = 900
Say = Callable[[str], None]


@dataclass
class Result:
    """What was done, and every difference that was found: none is what the promise says.

    Attributes:
        kills: per process of the suite.
        ended: per process, how often it ended without being killed and was restarted.
        events: what was done to the store, by kind, and ``engine_events`` to the cluster.
        games: how often the cluster computed a game's timer bolts, or was asked to.
        rollbacks: of members of the store.
        unheard: lines sent over TCP that the spout did not live to journal; nothing acknowledged them.
    """

    lines: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    engine_events: Counter[str] = field(default_factory=Counter)
    games: int = 0
    rollbacks: int = 0
    replays: int = 0
    unheard: int = 0
    differences: list[str] = field(default_factory=list)


class BrokenPeers(NamedTuple):
    """What is broken besides the suite's processes."""

    store: BrokenStore
    engine: BrokenEngine


class CrashTest:
    """One run. ``seed`` decides what is fed and killed; when things happen depends on the machine."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        rate: int,
        pause: float,
        say: Say,
        store: str = EMBEDDED,
        service: bool = False,
        engine: EngineKind = "",
    ) -> None:
        """Args:
        folder: an empty folder to work in.
        rate: lines a second, over all sources.
        pause: seconds between two kills, on average, and between two disturbances of the store.
        store: what the suite keeps its documents in, one of ``STORES``.
        service: run it as `analytics start` does, and kill its supervisor as well.
        engine: what counts instead of broker and workers; "": they do.
        """
        self._folder = folder
        self._rng = random.Random(seed)
        self._seed = seed
        self._rate = rate
        self._pause = pause
        self._say = say
        self._result = Result()
        self._pipes = Pipes(folder, self._rng)
        self._feeding = True
        self._service = service
        self._broken = BrokenPeers(
            open_broken(store, folder / "store"), open_broken_engine(engine, folder / "engine")
        )

    def run(self, seconds: float, least_kills: int = 0) -> Result:
        """Feed and kill for ``seconds``, and on a slow machine until so many processes were killed; let everything settle, and compare."""
        folder, result = self._folder, self._result
        conf = folder / "analytics.toml"
        with self._broken.store, self._broken.engine:
            web_port, tcp_port = configure(conf, self._broken.store.uri, self._broken.engine.section)
            config = load(conf)
            nodes = [*self._broken.store.nodes, *(NODES_WITH_ENGINE if config.engine.kind else NODES)]
            directory = areas(config)
            self._feed = Feed(directory, self._seed)
            self._sender = TcpSender(tcp_port, directory, random.Random(self._seed))
            self._rotated = RotatedLog(folder / "logs", self._rng)
            self._web = Web(
                folder / "web" / "game.log",
                PaymentInterface(directory, self._rng),
                RoleInterface(directory, self._rng),
                self._seed,
                faults=0.1,
                port=web_port,
            )
            try:
                with Service(conf) if self._service else Suite(conf, nodes) as suite:
                    self._break_and_compare(config, suite, time.monotonic() + seconds, least_kills)
            finally:
                self._web.close()
        result.lines = self._feed.good + self._feed.broken
        return result

    def _break_and_compare(
        self, config: Config, suite: Suite | Service, deadline: float, least_kills: int
    ) -> None:
        result = self._result
        with closing(Supervised(suite)) as supervised:
            helpers: list[gevent.Greenlet[..., None]] = [
                gevent.spawn(self._feed_for_ever),
                gevent.spawn(self._send_for_ever),
                gevent.spawn(self._replay_for_ever, config),
                gevent.spawn(self._restart_web_until, deadline),
                gevent.spawn(self._disturb_until, deadline, self._broken.store, result.events, "store"),
                gevent.spawn(
                    self._disturb_until, deadline, self._broken.engine, result.engine_events, "engine"
                ),
            ]
            self._kill_until(supervised, suite.names, deadline, least_kills)
            self._feeding = False
            gevent.joinall(helpers, raise_error=True)
            self._say("letting everything settle")
            if isinstance(suite, Service):
                suite.start_missing()
            self._broken.store.settle()
            self._broken.engine.settle()
            result.replays, failed = self._pipes.count, self._pipes.rest()
            result.differences += failed
            self._settle(config)
            drain(config, PATIENCE)
            result.differences += self._compare(config, supervised.deaths)
            result.rollbacks = self._broken.store.rollbacks()
            result.ended = supervised.ended

    def _feed_for_ever(self) -> None:
        """Write lines where the sources find them."""
        waiting: list[bytes] = []
        while self._feeding:
            share = max(1, int(self._rate * FEED_SECONDS / 3))
            self._rotated.append(self._feed.lines(share))
            with self._web.log.open("ab") as file:
                file.writelines(line + b"\n" for line in self._feed.lines(share))
            waiting += self._feed.lines(share)
            if len(waiting) >= LINES_A_STREAM:
                self._pipes.add(waiting)
                waiting = []
            self._web.payments.some()
            self._web.roles.some()
            gevent.sleep(FEED_SECONDS)
        self._pipes.add(waiting)

    def _send_for_ever(self) -> None:
        """Send lines over TCP, whether anybody listens or not."""
        while self._feeding:
            self._sender.some()
            gevent.sleep(FEED_SECONDS)

    def _restart_web_until(self, deadline: float) -> None:
        rng = random.Random(self._seed)
        while time.monotonic() < deadline:
            self._sleep(rng, deadline)
            self._web.restart(rng.choice([0.1, 1, 5]))

    def _replay_for_ever(self, config: Config) -> None:
        """Pipe streams and journals into the suite, in any order, and kill some of the pipes half-way."""
        while self._feeding:
            gevent.sleep(self._rng.uniform(0.5, 3))
            self._pipes.some(sorted(config.data.glob("gamelog_*.txt")))

    def _kill_until(
        self, supervised: Supervised, names: list[str], deadline: float, least_kills: int
    ) -> None:
        while time.monotonic() < deadline or self._result.kills.total() < least_kills:
            self._sleep(self._rng, deadline)
            victims = self._rng.sample(names, self._rng.choice([1, 1, 1, 2]))
            with supervised.killed(victims):
                self._result.kills.update(victims)
                gevent.sleep(self._rng.choice([0, 0.2, 1]))
            self._say(f"killed {self._result.kills.total()} times, last {' and '.join(victims)}")

    def _disturb_until(
        self, deadline: float, broken: BrokenStore | BrokenEngine, events: Counter[str], name: str
    ) -> None:
        rng = random.Random(self._seed)  # its own: what happens to nodes is the same whatever else is broken
        while time.monotonic() < deadline:
            self._sleep(rng, deadline)
            if event := broken.disturb(rng):
                events[event] += 1
                self._say(f"disturbed the {name} {events.total()} times, last: {event}")

    def _sleep(self, rng: random.Random, deadline: float) -> None:
        pause = rng.expovariate(1 / self._pause)
        gevent.sleep(min(pause, max(0, deadline - time.monotonic())))

    def _settle(self, config: Config, patience: float = PATIENCE) -> None:
        """Wait until every good line is accepted and counted."""
        counted = counted_by(config)
        deadline = time.monotonic() + patience
        quiet = 0
        try:
            while quiet < 5:
                if time.monotonic() > deadline:
                    self._result.differences.append(f"not settled after {patience} s")
                    return
                gevent.sleep(1)
                try:
                    quiet = quiet + 1 if counted.is_settled(self._feed.good) else 0
                except Unavailable:
                    quiet = 0
        finally:
            counted.close()

    def _compare(self, config: Config, deaths: list[float]) -> list[str]:
        accepted = self._sender.accepted(config.data)
        self._result.differences += self._sender.faults(accepted, deaths)
        self._result.unheard = len(self._sender.sent.keys() - accepted.keys())
        self._feed.log(
            self._sender.sent[number] for number in sorted(accepted) if number in self._sender.sent
        )
        self._feed.pay(self._web.payments.tuples())
        self._feed.sync(self._web.roles.tuples())
        expected = self._feed.documents()
        with closing(open_store(config)) as store, closing(counted_by(config)) as counted:
            try:
                self._result.games = GameRequests(store).asked()
                found = [*counted.faults(self._feed), *differences(store, expected)]
                return found + differences(store, timer_documents(config, self._feed.stored(), store))
            except AnalyticsError as error:
                return [str(error)]
