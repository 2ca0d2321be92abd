"""Provokes rollbacks of a replica set under a running suite, and compares every document after each.

A rollback takes back writes that a primary took and no majority got. Each round cuts the primary off from the other
members while clients still reach it, lets it take writes, resets clients' connections so that they don't learn what
became of these, and lets the others elect a new primary. When the old one returns it rolls back: its log says so.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import gevent
from pymongo.errors import PyMongoError

from analytics.broker.clients import Refill
from analytics.config import areas, load
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.draining import drain
from analytics.runtime.suite import Suite
from analytics.store import open_store
from analytics.testing.comparing import balance_faults, timer_documents, wrong_documents
from analytics.testing.feed import Feed
from analytics.testing.mongod import Server
from analytics.testing.proxied import ProxiedSet
from analytics.testing.setting import configure
from analytics.testing.supervised import Supervised

NODES = [["broker"], ["gamelog"], ["workers"], ["timers"]]
PATIENCE = 600.0
LOOK_SECONDS = 0.05
ACCTS = 50
LINES = 30
FEED_SECONDS = 0.1
ELECTION_MS = 6000
"""Long enough for clients to fail, try again and fail again at a primary that is cut off, before it steps down."""

CUT_OFF = ("cut", "hold", "kill", "freeze")
"""How the others lose the primary: connections refused or silent, or the others themselves killed or frozen."""

ENDS = ("steps down", "kill", "freeze")
"""What becomes of the primary while the others elect: it steps down, is killed, or is frozen."""

MOST_RESETS = 4


@dataclass(frozen=True)
class Way:
    """How one rollback is provoked."""

    cut_off: str
    end: str
    resets: int

    @property
    def means(self) -> set[str]:
        """What was done to cause it: of cut, hold, kill, freeze, reset."""
        return {self.cut_off, *({self.end} - {"steps down"}), *({"reset"} if self.resets else ())}

    def __str__(self) -> str:
        return f"{self.cut_off}, primary: {self.end}, {self.resets} resets"


def drawn_ways(seed: int, count: int) -> list[Way]:
    """Return so many ways at random, the same for one seed."""
    rng = random.Random(seed)
    return [Way(rng.choice(CUT_OFF), rng.choice(ENDS), rng.randrange(MOST_RESETS + 1)) for _ in range(count)]


@dataclass
class RollbackOutcome:
    """What was done and found.

    Attributes:
        rollbacks: rounds in which the server's log reports a rollback that took something back.
        taken_back: operations that rollbacks took back.
        by_means: rollbacks per means; one counts under each of its means.
        ended: processes that ended without being killed and were restarted.
        documents: compared after the last round.
        wrong: those that differed, and where the balance did not add up.
    """

    rounds: int = 0
    rollbacks: int = 0
    taken_back: int = 0
    by_means: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    documents: int = 0
    wrong: list[list[str]] = field(default_factory=list)


class RollbackTest:
    """One run. ``seed`` decides what is fed, and how long things last.

    Args:
        folder: an empty folder to work in.
        say: is called with a line for each round.
    """

    def __init__(self, folder: Path, seed: int, say: Callable[[str], None]) -> None:
        self._rng = random.Random(seed)
        self._seed = seed
        self._say = say
        self._set = ProxiedSet(folder / "store", election_ms=ELECTION_MS)
        self._conf = folder / "analytics.toml"
        self._log = folder / "logs" / "game.log"
        self._outcome = RollbackOutcome()

    def run(self, ways: Iterable[Way]) -> RollbackOutcome:
        """Provoke a rollback in each of these ways. Stop where documents are wrong after one.

        After the last the documents of timer bolts are compared, too.
        """
        outcome = self._outcome
        with self._running():
            for way in ways:
                began = time.monotonic()
                taken_back = self._provoke(way)
                outcome.rounds += 1
                outcome.rollbacks += taken_back > 0
                outcome.taken_back += taken_back
                outcome.by_means.update(way.means if taken_back else ())
                outcome.wrong = self._compare()
                self._say(
                    f"{outcome.rounds}: {way}: {taken_back} operations taken back, {len(outcome.wrong)} of "
                    f"{outcome.documents} documents wrong, {time.monotonic() - began:.1f} s"
                )
                if outcome.wrong:
                    break
            else:
                outcome.wrong = self._compare(with_timers=True)
            outcome.ended = self._supervised.ended
        outcome.lines = self._feed.good + self._feed.broken
        return outcome

    @contextmanager
    def _running(self) -> Iterator[None]:
        with self._set:
            configure(self._conf, self._set.uri)
            self._config = load(self._conf)
            self._feed = Feed(areas(self._config), self._seed, ACCTS)
            self._log.parent.mkdir()
            self._log.touch()
            with Suite(self._conf, NODES) as suite:
                self._supervised = Supervised(suite)
                try:
                    # The first documents make collections and indexes, which take longest.
                    with self._feeding():
                        gevent.sleep(FEED_SECONDS)
                    self._compare()
                    yield
                finally:
                    self._supervised.close()

    def _provoke(self, way: Way) -> int:
        """Provoke one rollback; return how many operations it took back, 0 where there was none."""
        primary = self._set.primary()
        others = [member for member in self._set.members if member is not primary]
        already = len(primary.rollbacks())
        with self._feeding():
            gevent.sleep(self._rng.uniform(0.5, 1.0))
            self._cut_off(primary, others, way.cut_off)
            self._wait_for_writes(primary)
            for _ in range(way.resets):
                self._set.reset_clients(primary)
                gevent.sleep(self._rng.uniform(0.2, 1.0))
            self._take_away(primary, way.end)
            self._bring_back(others, way.cut_off)
            self._set.primary(PATIENCE, others)
        self._set.heal()
        if way.end == "kill":
            primary.start(wait=False)
        primary.thaw()
        self._set.wait_until_in_sync(PATIENCE)
        return sum(primary.rollbacks()[already:])

    def _cut_off(self, primary: Server, others: list[Server], how: str) -> None:
        # A frozen member's buffers hold what the primary sends meanwhile; it would apply that when it goes on.
        self._set.isolate(primary, "hold" if how in ("hold", "freeze") else "refuse")
        for member in others:
            if how == "kill":
                member.kill()
            elif how == "freeze":
                member.freeze()

    def _wait_for_writes(self, primary: Server) -> None:
        """Return when the primary has taken a write since it was cut off, or is about to step down."""
        until = time.monotonic() + ELECTION_MS / 2000
        with suppress(PyMongoError):
            at_first = primary.hello()["lastWrite"]["opTime"]["ts"]
            while primary.hello()["lastWrite"]["opTime"]["ts"] == at_first and time.monotonic() < until:
                gevent.sleep(LOOK_SECONDS)

    def _take_away(self, primary: Server, how: str) -> None:
        if how == "kill":
            primary.kill()
        elif how == "freeze":
            primary.freeze()

    def _bring_back(self, others: list[Server], how: str) -> None:
        for member in others:
            if how == "kill":
                member.start(wait=False)
            elif how == "freeze":
                member.thaw()

    @contextmanager
    def _feeding(self) -> Iterator[None]:
        """Write lines to the log, all the time, until the end of the block."""

        def feed() -> None:
            while True:
                with self._log.open("ab") as file:
                    file.writelines(line + b"\n" for line in self._feed.lines(LINES))
                gevent.sleep(FEED_SECONDS)

        feeder = gevent.spawn(feed)
        try:
            yield
        finally:
            feeder.kill()

    def _compare(self, with_timers: bool = False) -> list[list[str]]:
        """Return, once all is counted, what is wrong: for each document, and for the balance."""
        expected = self._feed.documents()
        refill = Refill(self._config.broker)
        store = open_store(self._config)
        try:
            self._wait_for(lambda: self._is_read(refill), f"{self._feed.good} records accepted")
            drain(self._config, PATIENCE)
            if with_timers:
                expected |= timer_documents(self._config, self._feed.stored(), store)
            self._outcome.documents = sum(map(len, expected.values()))
            wrong = [[": ".join(one)] for one in wrong_documents(store, expected)]
            faults = balance_faults(refill.state(), self._feed)
            return [*wrong, *([faults] if faults else [])]
        finally:
            refill.close()
            store.close()

    def _is_read(self, refill: Refill) -> bool:
        try:
            sources = refill.state().sources.values()
        except Unavailable:
            return False
        return sum(one.accepted + one.rejected for one in sources) >= self._feed.good + self._feed.broken

    def _wait_for(self, reached: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not reached():
            if time.monotonic() > until:
                raise AnalyticsError(f"expected {what} within {PATIENCE:g} s; see {self._conf.parent}")
            gevent.sleep(LOOK_SECONDS)
