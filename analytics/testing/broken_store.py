"""Stores that a crash test breaks while a suite works on them: what can happen to each, and how it is undone."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

import gevent
from pymongo.errors import PyMongoError

from analytics.testing.mongod import NotUp, Server
from analytics.testing.proxied import ProxiedSet

EMBEDDED, MONGOD, REPLICA_SET = "embedded", "mongod", "replica-set"
STORES = (EMBEDDED, MONGOD, REPLICA_SET)

SHORTEST, LONGEST = 0.2, 6.0
"""Seconds that something stays broken: from less than clients notice to some elections."""

ELECTED = 2.5
"""Seconds after which the others of a set have elected a new primary, as a rule."""

RESETS = 4
STEP_DOWN_SECONDS = 5
PATIENCE = 600.0


class BrokenStore(ABC):
    """A store of the test's own. Used in ``with``, it runs.

    Args:
        servers: what runs besides the suite; None: nothing.
    """

    nodes: list[list[str]] = []
    """The suite's own processes for it, each the nodes that it runs."""

    def __init__(self, servers: Server | ProxiedSet | None) -> None:
        self._servers = servers

    @property
    def uri(self) -> str:
        """Where clients find it; "" is the embedded server."""
        return self._servers.uri if self._servers else ""

    @abstractmethod
    def disturb(self, rng: random.Random) -> str:
        """Break something at random, undo it, and return what it was; "" where only nodes can be broken."""

    @abstractmethod
    def settle(self) -> None:
        """Return when everything is whole again. Raise NotUp where it is not in time."""

    def rollbacks(self) -> int:
        """Return how many rollbacks its members' logs report."""
        return 0

    def __enter__(self) -> Self:
        if self._servers:
            self._servers.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._servers:
            self._servers.stop()


class EmbeddedStore(BrokenStore):
    """The node ``store``, which is killed like every other node."""

    nodes = [["store"]]

    def __init__(self) -> None:
        super().__init__(None)

    def disturb(self, rng: random.Random) -> str:
        return ""

    def settle(self) -> None:
        pass


class StandaloneStore(BrokenStore):
    """One ``mongod`` that is killed and frozen."""

    def __init__(self, folder: Path) -> None:
        self._server = Server(folder)
        super().__init__(self._server)

    def disturb(self, rng: random.Random) -> str:
        if rng.random() < 0.5:
            _freeze([self._server], rng)
            return "freeze"
        _kill([self._server], rng)
        self._server.start()
        return "kill"

    def settle(self) -> None:
        self._server.wait_until_up()


class ReplicaSetStore(BrokenStore):
    """Three members. Everything is undone, so a majority always comes back; until then there may be none."""

    def __init__(self, folder: Path) -> None:
        self._set = ProxiedSet(folder)
        super().__init__(self._set)
        self._events: dict[str, Callable[[random.Random], None]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "step down": self._step_down,
            "cut off": self._cut_off,
            "cut off from members": self._isolate,
            "reset connections": self._reset,
            "all away": self._all_away,
        }

    def disturb(self, rng: random.Random) -> str:
        name = rng.choice(list(self._events))
        self._events[name](rng)
        return name

    def rollbacks(self) -> int:
        return sum(len(member.rollbacks()) for member in self._set.members)

    def settle(self) -> None:
        self._set.wait_until_in_sync(PATIENCE)

    def _victim(self, rng: random.Random) -> Server:
        """Return the primary in two of three cases, where there is one, else any member."""
        try:
            primary = self._set.primary(seconds=LONGEST)
        except NotUp:
            return rng.choice(self._set.members)
        return rng.choice([primary, primary, *(one for one in self._set.members if one is not primary)])

    def _kill(self, rng: random.Random) -> None:
        self._kill_all([self._victim(rng)], rng)

    def _freeze(self, rng: random.Random) -> None:
        _freeze([self._victim(rng)], rng)

    def _step_down(self, rng: random.Random) -> None:
        try:
            with self._set.primary(seconds=LONGEST).client() as client:
                client.admin.command("replSetStepDown", STEP_DOWN_SECONDS, force=rng.random() < 0.5)
        except (NotUp, PyMongoError):
            pass  # there is no primary, or no other member is ready to follow it

    def _cut_off(self, rng: random.Random) -> None:
        self._set.cut_off(self._victim(rng), _how(rng))
        _stay_so(rng)
        self._set.heal()

    def _isolate(self, rng: random.Random) -> None:
        """Let a primary take writes that no majority gets, and clients not learn what became of them."""
        try:
            victim = self._set.primary(seconds=LONGEST)
        except NotUp:
            return
        self._set.isolate(victim, _how(rng))
        for _ in range(rng.randrange(RESETS + 1)):
            gevent.sleep(rng.uniform(0.1, 0.6))
            self._set.reset_clients(victim)
        gevent.sleep(rng.uniform(ELECTED, LONGEST))
        self._set.heal()

    def _reset(self, rng: random.Random) -> None:
        for _ in range(rng.randrange(1, RESETS + 1)):
            for member in self._set.members:
                self._set.reset_clients(member)
            gevent.sleep(rng.uniform(0.1, 0.6))

    def _all_away(self, rng: random.Random) -> None:
        (_freeze if rng.random() < 0.5 else self._kill_all)(self._set.members, rng)

    def _kill_all(self, members: list[Server], rng: random.Random) -> None:
        _kill(members, rng)
        for member in members:
            member.start(wait=False)
        # A member that starts looks for itself in the set's configuration, through its proxy: it must not be cut off.
        self._set.wait_until_in_sync(PATIENCE)


def open_broken(kind: str, folder: Path) -> BrokenStore:
    """Return a store of that kind, one of ``STORES``, that keeps its data in ``folder``."""
    if kind == MONGOD:
        return StandaloneStore(folder)
    return ReplicaSetStore(folder) if kind == REPLICA_SET else EmbeddedStore()


def _freeze(servers: list[Server], rng: random.Random) -> None:
    for one in servers:
        one.freeze()
    _stay_so(rng)
    for one in servers:
        one.thaw()


def _kill(servers: list[Server], rng: random.Random) -> None:
    for one in servers:
        one.kill()
    _stay_so(rng)


def _stay_so(rng: random.Random) -> None:
    gevent.sleep(rng.uniform(SHORTEST, LONGEST))


def _how(rng: random.Random) -> Literal["hold", "refuse"]:
    return "hold" if rng.random() < 0.5 else "refuse"
