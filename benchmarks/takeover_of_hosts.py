"""Two hosts run the same workers; the active one is killed or frozen again and again: how long until the other works?

The hosts are processes of this machine, each with a data folder and a name of its own, that share a real etcd and a real MongoDB.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gevent
import msgspec

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState, totals
from analytics.cluster import LocalRegistry, NodeEntry, open_keys
from analytics.cluster.registry import alive
from analytics.config import areas
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.draining import drain
from analytics.runtime.report import report
from analytics.runtime.suite import Suite
from analytics.store import open_store
from analytics.testing.comparing import differences
from analytics.testing.feed import Feed
from analytics.testing.mongod import Server
from analytics.testing.ports import free_ports
from analytics.testing.setting import games, on_ports
from benchmarks.etcd import Etcd

PROCESS = "workers"
PATIENCE = 120.0
LOOK_SECONDS = 0.02
SETTLE_SECONDS = 0.3
ASLEEP_SECONDS = 2.0
FEED_SECONDS = 0.1


@dataclass
class TakeoverOutcome:
    """What was measured: seconds from each end of the active one to the other's first numbers, from etcd's return
    until all nodes are known again, and what is wrong."""

    kills: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    back: float = 0.0
    lines: int = 0
    differences: list[str] = field(default_factory=list)


class TakeoverTest:
    """Kills and freezes the active worker under load.

    Attributes:
        etcd: the one that the hosts share.

    Args:
        rate: lines a second.
        etcd: keys of the section ``[etcd]``, as TOML, besides its endpoints.
        say: called with what happens.
    """

    def __init__(self, folder: Path, rate: int, etcd: str, members: int, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._rate = rate
        self.etcd = Etcd(folder / "etcd", members)
        self._mongod = Server(folder / "mongod")
        self._settings = etcd
        self._say = say
        self._feeding = True
        self._lost = False
        self._outcome = TakeoverOutcome()

    def run(self, kills: int, stops: int, away: float = 0.0) -> TakeoverOutcome:
        """Kill the active one ``kills`` times, freeze it ``stops`` times, take etcd away for ``away`` seconds.

        Where etcd has several members, the first is killed after the first takeover. Compare every document in the end.
        """
        try:
            self.etcd.start()
            self._mongod.start()
            with Suite(self._configure("main"), [["broker"], ["gamelog"]]) as main:
                self._main = main
                self._feed = Feed(areas(main.config), seed=1)
                feeding = gevent.spawn(self._feed_for_ever)
                with self._host("a") as a, self._host("b") as b:
                    self._hosts = {"a": a, "b": b}
                    for _ in range(kills):
                        self._outcome.kills.append(self._take_over(self._kill))
                        self._lose_a_member()
                    for _ in range(stops):
                        self._outcome.stops.append(self._take_over(self._freeze))
                        self._lose_a_member()
                    if away:
                        self._outcome.back = self._without_etcd(away)
                    self._feeding = False
                    feeding.get()
                    self._compare()
        finally:
            self._mongod.stop()
            self.etcd.stop()
        return self._outcome

    def _lose_a_member(self) -> None:
        if len(self.etcd.members) > 1 and not self._lost:
            self._lost = True
            self.etcd.members[0].kill()
            self._say("killed a member of etcd")

    def _without_etcd(self, seconds: float) -> float:
        """Take etcd away; return how long after its return every node is known again. Raise if work rests meanwhile."""
        active, _ = self._roles()
        known = self._known()
        self.etcd.stop()
        until = time.monotonic() + seconds
        moves = 0
        while time.monotonic() < until:
            self._seconds_until_numbers_move()
            moves += 1
        peers = report(self._main.config).peers
        problem = next(peer.problem for peer in peers if peer.name == "etcd")
        if "etcd can't be used" not in problem:
            raise AnalyticsError(f"status should say that etcd is away, it says: {problem or 'nothing'}")
        if self._hosts[active].pid(PROCESS) not in self._working():
            raise AnalyticsError(f"{active} should work on without etcd; see {self._folder}")
        self._say(
            f"etcd was away for {seconds:g} s: numbers moved on {moves} times, `status` says: {problem:.80}…"
        )
        self.etcd.start()
        began, since = time.monotonic(), time.time()
        while self._known(since) != known:
            if time.monotonic() - began > PATIENCE:
                raise AnalyticsError(
                    f"expected nodes {known} in etcd, found {self._known(since)}; see {self._folder}"
                )
            gevent.sleep(LOOK_SECONDS)
        took = time.monotonic() - began
        self._say(f"etcd is back: all {len(known)} nodes are known again after {took:.1f} s")
        return took

    def _known(self, since: float = 0.0) -> set[str]:
        """Return the keys of nodes that reported to etcd since then: it keeps older entries through its own restart."""
        keys = open_keys(self._main.config)
        try:
            found = keys.list("nodes/")
        except Unavailable:
            return set()
        finally:
            keys.close()
        return {key for key, node in found.items() if msgspec.json.decode(node, type=NodeEntry).beat > since}

    def _working(self) -> set[int]:
        """Return the processes that work and do not stand by."""
        nodes = [node for suite in self._hosts.values() for node in LocalRegistry(suite.config.data).list()]
        return {node.pid for node in nodes if alive(node) and not node.state.get("standby")}

    def _take_over(self, end: Callable[[str, Callable[[], float]], float]) -> float:
        active, _ = self._roles()
        seconds = end(active, self._seconds_until_numbers_move)
        self._say(f"{'killed' if end == self._kill else 'froze'} {active}, taken over after {seconds:.1f} s")
        return seconds

    def _kill(self, active: str, taken_over: Callable[[], float]) -> float:
        self._hosts[active].kill(PROCESS)
        seconds = taken_over()
        self._hosts[active].restart(PROCESS)
        return seconds

    def _freeze(self, active: str, taken_over: Callable[[], float]) -> float:
        pid = self._hosts[active].pid(PROCESS)
        os.kill(pid, signal.SIGSTOP)
        try:
            seconds = taken_over()
            gevent.sleep(ASLEEP_SECONDS)
        finally:
            os.kill(pid, signal.SIGCONT)
        return seconds

    def _seconds_until_numbers_move(self) -> float:
        """Return how long it takes, from now on, until a position moves on."""
        began = time.monotonic()
        refill = Refill(self._main.config.broker, PATIENCE)
        try:
            gevent.sleep(SETTLE_SECONDS)  # what was reported before is taken up
            before = _accounted(refill.state())
            while _accounted(refill.state()) == before:
                if time.monotonic() - began > PATIENCE:
                    raise AnalyticsError(f"nobody took over within {PATIENCE:g} s; see {self._folder}")
                gevent.sleep(LOOK_SECONDS)
            return time.monotonic() - began
        finally:
            refill.close()

    def _roles(self) -> tuple[str, str]:
        """Return the active host and the one that stands by, once it is so."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            standing = {name: self._stands_by(suite) for name, suite in self._hosts.items()}
            if sorted(map(str, standing.values())) == ["False", "True"]:
                active, other = sorted(standing, key=lambda name: bool(standing[name]))
                return active, other
            gevent.sleep(LOOK_SECONDS)
        raise AnalyticsError(f"one of two hosts should be active, found {standing}; see {self._folder}")

    def _stands_by(self, suite: Suite) -> bool | None:
        """Return what the host's worker says of itself; None while it says nothing, or waits for etcd."""
        for node in LocalRegistry(suite.config.data).list():
            if node.pid == suite.pid(PROCESS) and time.time() - node.beat < 2 and not node.state.get("error"):
                return bool(node.state.get("standby"))
        return None

    def _feed_for_ever(self) -> None:
        path = self._folder / "main" / "game.log"
        until = time.monotonic()
        while self._feeding:
            with path.open("ab") as file:
                file.writelines(line + b"\n" for line in self._feed.lines(int(self._rate * FEED_SECONDS)))
            until += FEED_SECONDS
            gevent.sleep(max(0.0, until - time.monotonic()))

    def _compare(self) -> None:
        config = self._main.config
        self._outcome.lines = self._feed.good + self._feed.broken
        refill, store = Refill(config.broker, PATIENCE), open_store(config)
        try:
            until = time.monotonic() + PATIENCE
            while totals(refill.state().heads, "gamelog") < self._feed.good and time.monotonic() < until:
                gevent.sleep(SETTLE_SECONDS)
            drain(config, PATIENCE)
            accepted = totals(refill.state().heads, "gamelog")
            if accepted != self._feed.good:
                self._outcome.differences.append(f"accepted: expected {self._feed.good}, got {accepted}")
            self._outcome.differences += differences(store, self._feed.documents())
        finally:
            refill.close()
            store.close()

    def _host(self, name: str) -> Suite:
        return Suite(self._configure(name), [[PROCESS]])

    def _configure(self, name: str) -> Path:
        """Write the configuration of a host and return its file; those of the workers know no broker."""
        folder = self._folder / name
        folder.mkdir(parents=True)
        text = f'data = "data"\n[timers]\nevery_seconds = 0\n[etcd]\nhost_name = "{name}"\n{self._settings}\n'
        text += f"endpoints = {json.dumps(self.etcd.addresses)}\n"
        text += f'[worker]\nflush_seconds = 0.2\n[mongodb]\nuri = "{self._mongod.uri}"\n'
        if name == "main":
            text += on_ports(*free_ports(4))
            text += (
                '[[gamelog.sources]]\nname = "game"\nkind = "file"\npath = "game.log"\npoll_seconds = 0.2\n'
            )
        file = folder / "analytics.toml"
        file.write_text(text + games())
        return file


def _accounted(state: BrokerState) -> int:
    return sum(head.records for positions in state.bolts.values() for head in positions.values())
