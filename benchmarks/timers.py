"""All timer bolts over many areas: everything for the first time, after 1 % of the area-days changed, after nothing did.

The reference beside each run is what it can't do without: reading the facts it looks at from the store, once.
"""

import hashlib
import random
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pymongo import MongoClient, WriteConcern

from analytics.bolts import BOLTS
from analytics.bolts.accts import NewAccts
from analytics.broker.clients import Publisher, Refill
from analytics.broker.wire import Head
from analytics.cluster import LocalRegistry
from analytics.config import Config, TimersSection, areas, load
from analytics.core.areas import Areas
from analytics.core.fold import Delta
from analytics.core.settle import Position, settle, unknown
from analytics.core.timer_sources import READ_BY_TIMERS
from analytics.core.tuples import PaidRow
from analytics.runtime.draining import behind
from analytics.runtime.node import BEAT_SECONDS
from analytics.runtime.outlet import Outlet, new_session
from analytics.runtime.settler import PendingChanges, Settler
from analytics.runtime.suite import Suite
from analytics.runtime.timers.position import NODE
from analytics.store import embedded_uri, open_store
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports
from benchmarks import end_to_end, stores

FIRST_DAY = 1419955200
DAY = 86_400
FILLED = ("loginhour", "signupday", "loginday", "paysummary")
"""The collections that timer bolts read."""

ANSWER_SECONDS = 60.0
POLL_SECONDS = 0.1
IDLE_SECONDS = 3.0
Servers = Mapping[str, int]
"""Process ids of the servers beside the suite, by name."""

RETURN, PAY = 0.3, 0.02
"""Of the accts that signed up, who logs in on a day; of those, who pays."""


class World:
    """Sign-ups, logins and payments, reproducible by seed."""

    def __init__(self, area_count: int, accts: int, days: int, seed: int = 1) -> None:
        self.areas = [hashlib.md5(b"area %d" % n).hexdigest()[:24] for n in range(area_count)]
        self.days = [FIRST_DAY + n * DAY for n in range(days)]
        self._accts = accts
        self._random = random.Random(seed)

    def area_days(self, area: int) -> Iterator[tuple[int, list[str], list[str], list[str]]]:
        """Yield, for each day of an area, who signed up, logged in and paid. One in ten plays next door, too."""
        first = 3_000_000_000 + area * (self._accts - self._accts // 10)
        everybody = [str(first + n) for n in range(self._accts)]
        for n, day in enumerate(self.days):
            begin, end = (self._accts * at // len(self.days) for at in (n, n + 1))
            new = everybody[begin:end]
            logins = new + self._random.sample(everybody[:begin], int(begin * RETURN))
            yield day, new, logins, logins[:: int(1 / PAY)]


class Writer:
    """Writes the bolts' documents as the bolts do, and publishes their tuples."""

    def __init__(self, config: Config, log: str) -> None:
        bolts = {name: BOLTS[name] for name in FILLED}
        self.store = open_store(config)
        self._log = log
        self._publisher = Publisher(config.broker, "bench")
        self._settler = Settler(
            bolts, areas(config), self.store, Outlet(self._publisher, f"bench-{new_session()}"), 100_000
        )
        self._bolts = bolts
        self._number = 0
        self._changes = self._nothing()

    def _nothing(self) -> PendingChanges:
        return PendingChanges.nothing(self._log, self._bolts)

    def add(self, bolt: str, area: str, day: int, rows: list[Any]) -> None:
        """Add rows to the document of an area-day."""
        self._number += 1
        topic = next(iter(BOLTS[bolt].reads))
        self._changes.add(bolt, {(area, day): Delta.of(BOLTS[bolt], topic, self._number, rows, len(rows))})

    def flush(self) -> None:
        """Write what was added."""
        head = Head(self._number, 0, 0)
        self._changes.heads = {name: dict.fromkeys(bolt.reads, head) for name, bolt in self._bolts.items()}
        self._settler.settle(self._changes)
        self._changes = self._nothing()

    def close(self) -> None:
        self._publisher.close()
        self.store.close()


def period(area: str, day: int, accts: list[str]) -> list[NewAccts]:
    return [NewAccts(area, day, len(accts), 1, len(accts), accts)]


def fill(config: Config, world: World) -> None:
    """Insert a document for each area-day and kind, as the bolts would have left it.

    Nothing is read and nothing waits for a majority: this is not what is measured.
    """
    store = open_store(config)
    store.ensure_indexes(FILLED)
    store.close()
    claimed = areas(config)
    concern = WriteConcern(w=1, j=False)
    with MongoClient[dict[str, Any]](config.mongodb.uri or embedded_uri(config)) as client:
        database = client.get_database(config.mongodb.database, write_concern=concern)
        for number, area in enumerate(world.areas):
            documents: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for bolt, day, rows in facts(world, number, area):
                documents[bolt] += stored(bolt, area, day, rows, claimed)
            for name, of in documents.items():
                database[name].insert_many(of, ordered=False)


def facts(world: World, number: int, area: str) -> Iterator[tuple[str, int, list[Any]]]:
    """Yield the rows of each of an area's documents, with its bolt and the start of its period."""
    hour = BOLTS["loginhour"].reads["gamelog.login_logcount"].tuple_type
    first = world.days[0]
    yield "loginhour", first, [hour(area, first + 60, type("Acct", (), {"acct": "a"})())]
    for day, new, logins, payers in world.area_days(number):
        yield "signupday", day, period(area, day, new)
        yield "loginday", day, period(area, day, logins)
        yield "paysummary", day, [PaidRow(acct, day, 1, 600, (1, 1, "bench")) for acct in payers]


def stored(bolt: str, area: str, ts: int, rows: list[Any], claimed: Areas) -> Iterator[dict[str, Any]]:
    """Yield the documents of an area's period: its parts, and the one with its last version."""
    of = BOLTS[bolt]
    topic = next(iter(of.reads))
    delta = Delta.of(of, topic, 1, rows, len(rows))
    settled = settle(unknown(of, (area, ts)), [delta], Position("before", {topic: 1}), claimed)
    for step in settled.steps:
        yield from step.parts
    yield settled.steps[-1].document | {"updated": datetime.now(UTC)}


def change(config: Config, world: World, share: float) -> int:
    """Let more accts log in, sign up and pay on a share of all area-days; return how many area-days that is."""
    refill = Refill(config.broker, ANSWER_SECONDS)
    writer = Writer(config, refill.state().log)
    refill.close()
    every = [(area, day) for area in world.areas for day in world.days]
    chosen = random.Random(2).sample(every, max(1, int(len(every) * share)))
    for area, day in chosen:
        late = [f"late{n}" for n in range(20)]
        writer.add("signupday", area, day, period(area, day, late[:5]))
        writer.add("loginday", area, day, period(area, day, late))
        writer.add("paysummary", area, day, [PaidRow("late0", day, 1, 100, (2, 1, "bench"))])
    writer.flush()
    writer.close()
    return len(chosen)


def read_all(config: Config) -> float:
    """Read every fact once; return the seconds."""
    store = open_store(config)
    begin = time.monotonic()
    for collection in ("loginday", "signupday", "paysummary"):
        for document in store.find(collection):
            store.whole(collection, document)
    store.close()
    return time.monotonic() - begin


def state(config: Config) -> dict[str, Any]:
    """Return what the node says of itself; nothing while it has not begun to work."""
    found = [entry.state for entry in LocalRegistry(config.data).list() if entry.name == NODE]
    return dict(found[0]) if found and "runs" in found[0] else {}


def wait_for_first_run(config: Config) -> None:
    """Return once the node has made a run since it was started."""
    while not state(config).get("runs"):
        time.sleep(POLL_SECONDS)


def wait_for_changes(config: Config) -> float:
    """Return once everything that has been published is in the timer bolts' documents.

    Returns: the seconds that the runs until then took, without the pauses between them.
    """
    refill = Refill(config.broker, ANSWER_SECONDS)
    goal, before = refill.state().heads, state(config)["runs"]
    runs: dict[int, float] = {}

    def look() -> None:
        now = state(config)
        runs[now["runs"]] = now["seconds"]

    while behind(goal, refill.state().bolts, {NODE: list(READ_BY_TIMERS)}):
        look()
        time.sleep(POLL_SECONDS)
    refill.close()
    time.sleep(2 * BEAT_SECONDS)  # what the node says of itself follows
    look()
    return sum(seconds for run, seconds in runs.items() if run > before)


def report(what: str, suite: Suite, servers: Servers, seconds: float, written: int) -> int:
    """Print what the node has done since ``written`` documents; return how many it has written in all."""
    total: int = sum(state(suite.config)["documents"].values())
    click.echo(f"{what}: {seconds:.1f} s, {total - written:,} documents written; since their start")
    for name, pid in (dict(servers) | {name: suite.pid(name) for name in suite.names}).items():
        used = end_to_end.usage(pid)
        click.echo(f"    {name:8} {used.cpu:6.1f} CPU s, {used.peak:6,.0f} MB at most")
    return total


def configure(folder: Path, world: World, known_mb: float, uri: str) -> Path:
    """Write a configuration that claims the world's areas, and return its path."""
    store = f'[mongodb]\nuri = "{uri}"\n{on_ports(*free_ports(4))}'
    timers = f"[timers]\nmax_known_mb = {known_mb}\n"
    claimed = "\n".join(f'{area} = {{ plat = "2001" }}' for area in world.areas)
    path = folder / "analytics.toml"
    path.write_text(f'data = "data"\n{store}\n{timers}[games.dl.areas]\n{claimed}\n')
    return path


@click.command()
@click.option("--areas", "area_count", default=1000, show_default=True)
@click.option("--accts", default=5000, show_default=True, help="Accts an area.")
@click.option("--days", default=31, show_default=True)
@click.option("--share", default=0.01, show_default=True, help="Of the area-days, how many change.")
@click.option(
    "--known-mb", default=TimersSection().max_known_mb, show_default=True, help="timers.max_known_mb."
)
@click.option(
    "--store",
    type=click.Choice([stores.EMBEDDED, stores.MONGOD]),
    default=stores.EMBEDDED,
    show_default=True,
    help="The suite's own, or a mongod beside it.",
)
def main(area_count: int, accts: int, days: int, share: float, known_mb: float, store: str) -> None:
    """Measure the timer bolts."""
    work = Path(tempfile.mkdtemp(prefix="timers-"))
    world = World(area_count, accts, days)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, work)
        uri, servers = stack.enter_context(stores.opened(store, work / "mongod"))
        measure(configure(work, world, known_mb, uri), world, share, servers)


def measure(path: Path, world: World, share: float, servers: Servers) -> None:
    """Fill the store, and run the timer bolts over it three times."""
    config = load(path)
    nodes = [["broker"]] if servers else [["store"], ["broker"]]
    begin = time.monotonic()
    with Suite(path, nodes):
        fill(config, world)
        click.echo(
            f"{len(world.areas):,} areas, {len(world.days)} days: stored in {time.monotonic() - begin:.0f} s"
        )
        click.echo(f"reading every fact once takes {read_all(config):.1f} s")
    with Suite(path, [*nodes, [NODE]]) as suite:
        wait_for_first_run(config)
        first = report("everything, for the first time", suite, servers, state(config)["seconds"], 0)
        changed = change(config, world, share)
        report(f"after {changed:,} area-days changed", suite, servers, wait_for_changes(config), first)
    with Suite(path, [*nodes, [NODE]]) as suite:
        while not state(config):
            time.sleep(POLL_SECONDS)
        before = end_to_end.usage(suite.pid(NODE)).cpu
        time.sleep(IDLE_SECONDS)
        used = end_to_end.usage(suite.pid(NODE)).cpu - before
        click.echo(f"after a restart without change: {state(config)['runs']} runs, {used:.1f} s of CPU")


if __name__ == "__main__":
    main()
