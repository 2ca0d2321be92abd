"""All timer bolts over many areas: everything for the first time, after 1 % of the area-days changed, after nothing did.

The reference beside each run is what it can't do without: reading the facts it looks at from the store, once.
"""

import hashlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from analytics.bolts import BOLTS
from analytics.broker.clients import Publisher, Refill
from analytics.broker.wire import Head
from analytics.cluster import LocalRegistry
from analytics.config import Config, TimersSection, areas, load
from analytics.core.fold import Delta
from analytics.core.tuples import PaidRow, Period
from analytics.runtime.draining import behind
from analytics.runtime.node import BEAT_SECONDS
from analytics.runtime.nodes import READ_BY_TIMERS
from analytics.runtime.settler import Changes, Settler
from analytics.runtime.suite import Suite
from analytics.runtime.timers.position import NODE
from analytics.store import open_store
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports
from benchmarks import road

FIRST_DAY = 1419955200
DAY = 86_400
NODES = [["store"], ["broker"]]
ANSWER_SECONDS = 60.0
POLL_SECONDS = 0.1
IDLE_SECONDS = 3.0
RETURN, PAY = 0.3, 0.02
"""Of the accts that signed up, who logs in on a day; of those, who pays."""


class World:
    """Who signed up, logged in and paid: the same for one seed."""

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
    """Writes the bolts' documents as the bolts do, and publishes their tuples where asked to."""

    def __init__(self, config: Config, log: str, publishes: bool) -> None:
        names = ("loginhour", "signupday", "loginday", "paysummary")
        bolts = {name: replace(BOLTS[name], publishes=publishes) for name in names}
        self.store = open_store(config)
        self._log = log
        self._publisher = Publisher(config.broker, "bench")
        self._settler = Settler(
            bolts, areas(config), self.store, self._publisher, f"bench-{time.time_ns()}", 100_000
        )
        self._bolts = bolts
        self._number = 0
        self._changes = self._nothing()

    def _nothing(self) -> Changes:
        return Changes.nothing(self._log, self._bolts)

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


def period(area: str, day: int, accts: list[str]) -> list[Period]:
    return [Period(area, day, len(accts), 1, len(accts), accts)]


def fill(config: Config, world: World) -> None:
    """Write a document for each area-day and kind."""
    writer = Writer(config, "before", publishes=False)
    hour = BOLTS["loginhour"].reads["gamelog.login_logcount"].tuple_type
    for number, area in enumerate(world.areas):
        record = hour(area, world.days[0] + 60, type("Acct", (), {"acct": "a"})())
        writer.add("loginhour", area, world.days[0], [record])
        for day, new, logins, payers in world.area_days(number):
            writer.add("signupday", area, day, period(area, day, new))
            writer.add("loginday", area, day, period(area, day, logins))
            paid = [PaidRow(acct, day, 1, 600, (1, 1, "bench")) for acct in payers]
            writer.add("paysummary", area, day, paid)
        writer.flush()
    writer.close()


def change(config: Config, world: World, share: float) -> int:
    """Let more accts log in, sign up and pay on a share of all area-days; return how many area-days that is."""
    refill = Refill(config.broker, ANSWER_SECONDS)
    writer = Writer(config, refill.state().log, publishes=True)
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


def tell(what: str, config: Config, suite: Suite, seconds: float, written: int) -> int:
    """Print what the node has done since ``written`` documents; return how many it has written in all."""
    used = road.usage(suite.pid(NODE))
    total: int = sum(state(config)["documents"].values())
    click.echo(
        f"{what}: {seconds:.1f} s, {total - written:,} documents written, "
        f"peak memory {used.peak:,.0f} MB, {used.cpu:.1f} CPU s since its start"
    )
    return total


def configure(folder: Path, world: World, known_mb: float) -> Path:
    """Write a configuration that claims the world's areas, and return its path."""
    timers = f"[timers]\nmax_known_mb = {known_mb}\n"
    claimed = "\n".join(f'{area} = {{ plat = "2001" }}' for area in world.areas)
    path = folder / "analytics.toml"
    path.write_text(f'data = "data"\n{on_ports(*free_ports(4))}\n{timers}[games.dl.areas]\n{claimed}\n')
    return path


@click.command()
@click.option("--areas", "area_count", default=1000, show_default=True)
@click.option("--accts", default=5000, show_default=True, help="Accts an area.")
@click.option("--days", default=31, show_default=True)
@click.option("--share", default=0.01, show_default=True, help="Of the area-days, how many change.")
@click.option(
    "--known-mb", default=TimersSection().max_known_mb, show_default=True, help="timers.max_known_mb."
)
def main(area_count: int, accts: int, days: int, share: float, known_mb: float) -> None:
    """Measure the timer bolts on the embedded store."""
    work = Path(tempfile.mkdtemp(prefix="timers-"))
    world = World(area_count, accts, days)
    path = configure(work, world, known_mb)
    config = load(path)
    begin = time.monotonic()
    with Suite(path, NODES):
        fill(config, world)
        click.echo(
            f"{area_count:,} areas, {accts:,} accts each, {days} days: stored in {time.monotonic() - begin:.0f} s"
        )
        click.echo(f"reading every fact once takes {read_all(config):.1f} s")
    with Suite(path, [*NODES, [NODE]]) as suite:
        wait_for_first_run(config)
        first = tell("everything, for the first time", config, suite, state(config)["seconds"], 0)
        changed = change(config, world, share)
        tell(f"after {changed:,} area-days changed", config, suite, wait_for_changes(config), first)
    with Suite(path, [*NODES, [NODE]]) as suite:
        while not state(config):
            time.sleep(POLL_SECONDS)
        before = road.usage(suite.pid(NODE)).cpu
        time.sleep(IDLE_SECONDS)
        used = road.usage(suite.pid(NODE)).cpu - before
        click.echo(f"after a restart without change: {state(config)['runs']} runs, {used:.1f} s of CPU")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
