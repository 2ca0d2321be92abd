"""Kills the processes of a running suite, and of its store, while records flow in, and then compares every number.

Records come from a log that rotates, from a web server that fails now and then and is restarted, over TCP, from standard
input (each stream more than once), and from journals that are replayed forwards and backwards; a payment and a role
interface are polled. Some lines are broken. In the end every document must equal the reference runner's, those of timer bolts
what one run by hand makes of these, and the balance must add up: the same records, whatever died whenever.
"""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gevent

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState, totals
from analytics.config import Config, areas, load
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.draining import drain
from analytics.runtime.suite import Suite
from analytics.store import open_store
from analytics.testing.broken_store import EMBEDDED, open_broken
from analytics.testing.comparing import balance_faults, differences, timer_documents
from analytics.testing.feed import Feed
from analytics.testing.service import Service
from analytics.testing.setting import configure
from analytics.testing.supervised import Supervised
from analytics.testing.tcp_sender import TcpSender
from analytics.testing.world import Payments, Roles, RotatedLog, Web

NODES = [["broker"], ["gamelog"], ["payment"], ["syncuser"], ["workers"], ["timers"]]
LINES_A_STREAM = 4_000
FEED_SECONDS = 0.1
PATIENCE = 300
Say = Callable[[str], None]


@dataclass
class Result:
    """What was done, and every difference that was found: none is what the promise says.

    Attributes:
        kills: per process of the suite.
        ended: per process, how often it ended without being killed and was restarted.
        events: what was done to the store, by kind.
        rollbacks: of members of the store.
        unheard: lines sent over TCP that the spout did not live to journal; nothing acknowledged them.
    """

    lines: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    rollbacks: int = 0
    replays: int = 0
    unheard: int = 0
    differences: list[str] = field(default_factory=list)


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
    ) -> None:
        """Args:
        folder: an empty folder to work in.
        rate: lines a second, over all sources.
        pause: seconds between two kills, on average, and between two disturbances of the store.
        store: what the suite keeps its documents in, one of ``STORES``.
        service: run it as `analytics start` does, and kill its supervisor as well.
        """
        self._folder = folder
        self._rng = random.Random(seed)
        self._seed = seed
        self._rate = rate
        self._pause = pause
        self._say = say
        self._result = Result()
        self._streams: list[Path] = []
        self._piped: set[Path] = set()
        self._feeding = True
        self._service = service
        self._deaths: list[float] = []
        self._store = open_broken(store, folder / "store")

    def run(self, seconds: float) -> Result:
        """Feed and kill for ``seconds``, let everything settle, and compare."""
        folder, result = self._folder, self._result
        web_log = folder / "web" / "game.log"
        conf = folder / "analytics.toml"
        with self._store:
            web_port, tcp_port = configure(conf, self._store.uri)
            config = load(conf)
            directory = areas(config)
            self._feed = Feed(directory, self._seed)
            self._payments = Payments(directory, self._rng)
            self._roles = Roles(directory, self._rng)
            self._sender = TcpSender(tcp_port, directory, random.Random(self._seed))
            self._rotated = RotatedLog(folder / "logs", self._rng)
            self._web_log = web_log
            self._web = Web(web_log, self._payments, self._roles, self._seed, faults=0.1, port=web_port)
            try:
                with Service(conf) if self._service else Suite(conf, [*self._store.nodes, *NODES]) as suite:
                    self._break_and_compare(config, suite, time.monotonic() + seconds)
            finally:
                self._web.close()
        result.lines = self._feed.good + self._feed.broken
        return result

    def _break_and_compare(self, config: Config, suite: Suite | Service, deadline: float) -> None:
        result = self._result
        supervised = Supervised(suite)
        try:
            helpers: list[gevent.Greenlet[..., None]] = [
                gevent.spawn(self._feed_for_ever),
                gevent.spawn(self._send_for_ever),
                gevent.spawn(self._replay_for_ever, config),
                gevent.spawn(self._restart_web_until, deadline),
                gevent.spawn(self._disturb_store_until, deadline),
            ]
            self._kill_until(supervised, suite.names, deadline)
            self._feeding = False
            gevent.joinall(helpers, raise_error=True)
            self._say("letting everything settle")
            if isinstance(suite, Service):
                suite.start_missing()
            self._store.settle()
            self._pipe_the_rest()
            self._settle(config)
            drain(config, PATIENCE)
            result.differences += self._compare(config)
            result.rollbacks = self._store.rollbacks()
            result.ended = supervised.ended
        finally:
            supervised.close()

    def _feed_for_ever(self) -> None:
        """Write lines where the sources find them."""
        waiting: list[bytes] = []
        while self._feeding:
            share = max(1, int(self._rate * FEED_SECONDS / 3))
            self._rotated.append(self._feed.lines(share))
            with self._web_log.open("ab") as file:
                file.writelines(line + b"\n" for line in self._feed.lines(share))
            waiting += self._feed.lines(share)
            if len(waiting) >= LINES_A_STREAM:
                self._add_stream(waiting)
                waiting = []
            self._payments.some()
            self._roles.some()
            gevent.sleep(FEED_SECONDS)
        self._add_stream(waiting)

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

    def _add_stream(self, lines: list[bytes]) -> None:
        path = self._folder / f"stream{len(self._streams)}.log"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        self._streams.append(path)

    def _replay_for_ever(self, config: Config) -> None:
        """Pipe streams and journals into the suite, in any order, and kill some of the pipes half-way."""
        while self._feeding:
            gevent.sleep(self._rng.uniform(0.5, 3))
            journals = sorted(config.data.glob("gamelog_*.txt"))
            if self._streams and self._rng.random() < 0.7:
                path = self._rng.choice(self._streams[-3:])
                pipe = self._pipe_stream(path)
            elif journals:
                path = self._rng.choice(journals)
                lines = path.read_bytes().splitlines()[-20_000:]
                if self._rng.random() < 0.5:
                    lines.reverse()
                pipe = self._pipe(b"\n".join(lines) + b"\n", "replay")
            else:
                continue
            self._result.replays += 1
            try:
                if pipe.wait(self._rng.choice([0.5, 20])) == 0:
                    self._piped.add(path)
            except subprocess.TimeoutExpired:
                pipe.kill()
                pipe.wait()

    def _pipe_the_rest(self) -> None:
        """Every stream reaches the suite completely at last, and a few of them once more."""
        for path in self._streams:
            if path not in self._piped or self._rng.random() < 0.2:
                pipe = self._pipe_stream(path)
                if pipe.wait(120):
                    self._result.differences.append(f"piping {path.name} ended with status {pipe.returncode}")

    def _pipe_stream(self, path: Path) -> "subprocess.Popen[bytes]":
        return self._pipe(path.read_bytes(), "--source", path.stem)

    def _pipe(self, text: bytes, *arguments: str) -> "subprocess.Popen[bytes]":
        source = self._folder / f"pipe{self._result.replays}"
        source.write_bytes(text)
        command = [sys.executable, "-m", "analytics", "--config", str(self._folder / "analytics.toml")]
        with source.open("rb") as stdin, (self._folder / "pipes.log").open("ab") as output:
            pipe = subprocess.Popen(
                [*command, "read-stdin-gamelog", *arguments], stdin=stdin, stdout=output, stderr=output
            )
        source.unlink()
        return pipe

    def _kill_until(self, supervised: Supervised, names: list[str], deadline: float) -> None:
        while time.monotonic() < deadline:
            self._sleep(self._rng, deadline)
            victims = self._rng.sample(names, self._rng.choice([1, 1, 1, 2]))
            self._deaths.append(time.monotonic())
            with supervised.killed(victims):
                self._deaths.append(time.monotonic())
                self._result.kills.update(victims)
                gevent.sleep(self._rng.choice([0, 0.2, 1]))
            self._say(f"killed {self._result.kills.total()} times, last {' and '.join(victims)}")

    def _disturb_store_until(self, deadline: float) -> None:
        rng = random.Random(self._seed)  # its own: what happens to nodes is the same whatever the store is
        while time.monotonic() < deadline:
            self._sleep(rng, deadline)
            if event := self._store.disturb(rng):
                self._result.events[event] += 1
                self._say(f"disturbed the store {self._result.events.total()} times, last: {event}")

    def _sleep(self, rng: random.Random, deadline: float) -> None:
        pause = rng.expovariate(1 / self._pause)
        gevent.sleep(min(pause, max(0, deadline - time.monotonic())))

    def _settle(self, config: Config, patience: float = PATIENCE) -> None:
        """Wait until every good line is accepted and every bolt is past everything."""
        refill = Refill(config.broker)
        deadline = time.monotonic() + patience
        quiet = 0
        try:
            while quiet < 5:
                if time.monotonic() > deadline:
                    self._result.differences.append(f"not settled after {patience} s")
                    return
                gevent.sleep(1)
                try:
                    quiet = quiet + 1 if self._is_settled(refill.state()) else 0
                except Unavailable:
                    quiet = 0
        finally:
            refill.close()

    def _is_settled(self, state: BrokerState) -> bool:
        return totals(state.heads, "gamelog") >= self._feed.good and all(
            state.heads[topic].number == position.number
            for positions in state.bolts.values()
            for topic, position in positions.items()
            if topic in state.heads
        )

    def _compare(self, config: Config) -> list[str]:
        accepted = self._sender.accepted(config.data)
        self._result.differences += self._sender.faults(accepted, self._deaths)
        self._result.unheard = len(self._sender.sent.keys() - accepted.keys())
        self._feed.log(
            self._sender.sent[number] for number in sorted(accepted) if number in self._sender.sent
        )
        self._feed.pay(self._payments.tuples())
        self._feed.sync(self._roles.tuples())
        expected = self._feed.documents()
        store = open_store(config)
        refill = Refill(config.broker)
        try:
            found = [*balance_faults(refill.state(), self._feed), *differences(store, expected)]
            return found + differences(store, timer_documents(config, self._feed.stored(), store))
        except AnalyticsError as error:
            return [str(error)]
        finally:
            refill.close()
            store.close()
