"""A suite over several hosts with keys: a worker's host dies, links are cut and restored, the broker's host comes back.

Lines flow all the time. After each blow the numbers must move on; in the end every document must equal the reference
runner's, nobody may be blocked, and the balance must add up.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import gevent
from lost_hosts import Hosts

from analytics.bolts import BOLTS
from analytics.broker import authentication
from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState, Head, totals
from analytics.cluster import LocalRegistry
from analytics.config import areas
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.draining import drain
from analytics.runtime.report import facts, report
from analytics.runtime.suite import Suite
from analytics.store import open_store
from analytics.testing.comparing import differences
from analytics.testing.feed import Feed
from analytics.testing.mongod import Server
from analytics.testing.ports import free_ports
from analytics.testing.setting import games
from benchmarks.etcd import Etcd

MAIN, GAME, WORKERS = "main", "game", ("a", "b")
NODES = {MAIN: "broker", GAME: "gamelog", "a": "workers", "b": "workers"}
PATIENCE = 600.0
LOOK_SECONDS = 0.1
FEED_SECONDS = 0.1


class CutOff:
    """Host ``main`` with store, etcd and broker, ``game`` with the spout, ``a`` and ``b`` with all bolts each.

    Args:
        rate: lines a second.
        settings: what all hosts' configurations have besides, as TOML tables by their names.
        say: called with what happens.
    """

    def __init__(self, folder: Path, rate: int, settings: dict[str, str], say: Callable[[str], None]) -> None:
        self._folder = folder
        self._rate = rate
        self._settings = settings
        self._say = say
        self._feeding = True
        self._suites: dict[str, Suite] = {}

    def __enter__(self) -> Self:
        self.hosts = Hosts(NODES).__enter__()
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._feeding = False
        for suite in reversed(self._suites.values()):
            suite.stop()
        if hasattr(self, "_mongod"):
            self._mongod.kill()
            self._etcd.stop()
        self.hosts.__exit__()

    def active(self) -> str:
        """Return the host whose worker works, once one works and the other stands by or is gone."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            working = [name for name in WORKERS if self._works(name)]
            if len(working) == 1:
                return working[0]
            gevent.sleep(LOOK_SECONDS)
        raise AnalyticsError(f"one of two hosts should work, found {working}; see {self._folder}")

    def lose_worker(self) -> float:
        """Let the active worker's host vanish; return the seconds until numbers move again. Then it comes back."""
        name = self.active()
        self.hosts.lose(name)
        seconds = self.seconds_until_numbers_move()
        self._say(f"{name}, whose worker was active, is lost: taken over after {seconds:.1f} s")
        self.hosts.come_back(name)
        self._suites[name].restart(NODES[name])
        return seconds

    def cut(self, name: str, seconds: float) -> float:
        """Cut a host's link for some seconds; return how many seconds after its return numbers move again."""
        self.hosts.cut(name)
        gevent.sleep(seconds)
        self.hosts.restore(name)
        took = self.seconds_until_numbers_move()
        self._say(f"the link of {name} was cut for {seconds:g} s: work goes on {took:.1f} s after its return")
        return took

    def lose_broker(self, seconds: float) -> float:
        """Let the broker's host vanish and come back after so long, with its disk; return the same as :meth:`cut`."""
        self.hosts.lose(MAIN)
        self._mongod.kill()
        self._etcd.stop()
        gevent.sleep(seconds)
        self.hosts.come_back(MAIN)
        self._mongod.start()
        self._etcd.start()
        self._suites[MAIN].restart(NODES[MAIN])
        took = self.seconds_until_numbers_move()
        self._say(
            f"{MAIN} vanished for {seconds:g} s: work goes on {took:.1f} s after its nodes are up again"
        )
        return took

    def seconds_until_numbers_move(self) -> float:
        """Return how long it takes, from now on, until lines written from now on are in their documents."""
        began = time.monotonic()
        written = self.feed.good
        goal: dict[str, Head] = {}
        while True:
            state = self._broker()
            if state is not None and not goal and totals(state.heads, "gamelog") > written:
                goal = {topic: head for topic, head in state.heads.items() if topic.startswith("gamelog.")}
            if state is not None and goal and _passed(state, goal):
                return time.monotonic() - began
            if time.monotonic() - began > PATIENCE:
                raise AnalyticsError(f"no number moved within {PATIENCE:g} s; see {self._folder}")
            gevent.sleep(LOOK_SECONDS)

    def wrong(self) -> list[str]:
        """End the feeding; return everything that is not as it should be once all is counted."""
        self._feeding = False
        self._feeder.get()
        config = self._suites[MAIN].config
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            state = self._broker()
            if state is not None and totals(state.heads, "gamelog") >= self.feed.good:
                break
            gevent.sleep(LOOK_SECONDS)
        drain(config, PATIENCE)
        store = open_store(config)
        try:
            found = differences(store, self.feed.documents())
        finally:
            store.close()
        return found + self._unwell()

    def _unwell(self) -> list[str]:
        """Return what ``status`` on the broker's host says is wrong, once all nodes had time to report."""
        until = time.monotonic() + PATIENCE
        while unwell := list(facts(report(self._suites[MAIN].config))["unwell"]):
            if time.monotonic() > until:
                break
            gevent.sleep(1)
        state = self._broker()
        assert state is not None
        accepted = totals(state.heads, "gamelog")
        if accepted != self.feed.good:
            unwell.append(f"accepted: expected {self.feed.good}, got {accepted}")
        return unwell + ([state.blocked] if state.blocked else [])

    def _works(self, name: str) -> bool:
        suite = self._suites[name]
        return any(
            node.pid == suite.pid(NODES[name])
            and time.time() - node.beat < 2
            and not node.state.get("standby")
            for node in LocalRegistry(suite.config.data).list()
            if suite.runs(NODES[name])
        )

    def _broker(self) -> BrokerState | None:
        refill = Refill(self._suites[MAIN].config.broker, 2.0)
        try:
            return refill.state()
        except Unavailable:
            return None
        finally:
            refill.close()

    def _start(self) -> None:
        self._ports = free_ports(3)
        main, within = self.hosts.address(MAIN), self.hosts.within(MAIN)
        self._etcd = Etcd(self._folder / "etcd", host=main, within=within)
        self._mongod = Server(self._folder / "mongod", host=main, within=within)
        self._mongod.start()
        self._etcd.start()
        for name, node in NODES.items():
            file = self._configure(name)
            self._suites[name] = Suite(file, [[node]], self.hosts.within(name))
            self._suites[name].start()
        self.feed = Feed(areas(self._suites[MAIN].config), seed=1)
        self._feeder = gevent.spawn(self._feed_for_ever)
        self.seconds_until_numbers_move()

    def _feed_for_ever(self) -> None:
        path = self._folder / GAME / "game.log"
        while self._feeding:
            with path.open("ab") as file:
                file.writelines(line + b"\n" for line in self.feed.lines(int(self._rate * FEED_SECONDS)))
            gevent.sleep(FEED_SECONDS)

    def _configure(self, name: str) -> Path:
        """Write a host's configuration, and the keys that it may have; return its file."""
        folder = self._folder / name
        folder.mkdir(parents=True)
        receiver, sender, refill = self._ports
        address = self.hosts.address(MAIN)
        tables = {
            "timers": "every_seconds = 0",
            "dashboard": "port = 0",
            "mongodb": f'uri = "{self._mongod.uri}"',
            "etcd": f'host_name = "{name}"\nendpoints = {json.dumps(self._etcd.addresses)}',
            "service": f"nodes = {json.dumps([NODES[name]])}",
            "broker": f'host = "{address}"\nkeys = "keys"\nkey_name = "{name}"\nmin_free_mb = 16\n'
            f"receiver_port = {receiver}\nsender_port = {sender}\nrefill_port = {refill}",
            "worker": "flush_seconds = 0.2",
        }
        for table, more in self._settings.items():
            tables[table] = f"{tables.get(table, '')}\n{more}"
        text = 'data = "data"\n' + "".join(f"[{table}]\n{keys}\n" for table, keys in tables.items())
        if name == GAME:
            text += (
                '[[gamelog.sources]]\nname = "game"\nkind = "file"\npath = "game.log"\npoll_seconds = 0.2\n'
            )
        file = folder / "analytics.toml"
        file.write_text(text + games())
        self._hand_out_keys(name)
        return file

    def _hand_out_keys(self, name: str) -> None:
        """Make a host's pair where the broker is, and take to it what it needs, as docs/how-to/several-hosts.md says."""
        home, there = self._folder / MAIN / "keys", self._folder / name / "keys"
        authentication.make_keys(home, authentication.BROKER)
        secret = authentication.make_keys(home, name)[1]
        if name == MAIN:
            return
        for part in ("public", "secret"):
            (there / part).mkdir(parents=True)
        (there / "public" / "broker.key").write_bytes((home / "public" / "broker.key").read_bytes())
        secret.rename(there / "secret" / secret.name)


def _passed(state: BrokerState, goal: dict[str, Head]) -> bool:
    """Return whether every bolt that reads logs has all that the Queue held at one moment."""
    return len(state.bolts) == len(BOLTS) and all(
        positions[topic].number >= head.number
        for positions in state.bolts.values()
        for topic, head in goal.items()
        if topic in positions
    )
