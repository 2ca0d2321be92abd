"""Lines at a steady rate for long: what memory, open files and lag of every node do over time.

At first months of history are counted, as fast as it goes. The game's log is rotated every few minutes and its
older pieces are deleted, as are old journals. The report that ``status`` shows is read every few seconds. After a while
to warm up the rest is cut into thirds: what is flat has in the last third what it had in the first. At the end every
line has to be counted and the balance has to add up.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import gevent
import msgspec

from analytics.bolts import BOLTS
from analytics.config import load
from analytics.runtime.draining import drain
from analytics.runtime.nodes import TIMERS
from analytics.runtime.report import StatusReport, report, report_with_balance
from analytics.runtime.suite import Suite
from benchmarks import end_to_end, lines
from benchmarks.throughput import COMPARABLE

NODES = [["store"], ["broker"], ["gamelog"], ["main"], ["timers"]]
TICK = 0.02
ROTATE_SECONDS = 300
HISTORY_DAYS = 90
"""So far do timer bolts look back: this much is in the store before the steady rate begins."""
DAY_SECONDS = 1200
"""So long does a day of the game take: the accts of the first one are known when all has warmed up."""

# All of them less than a day's accts and documents take.
KNOWN_ACCTS = 5_000
KNOWN_MB = 1
CACHE_MB = 64
SETTINGS = """
[journal]
rotate_minutes = 2
keep_days = 0.005
"""
SHORTEST_MINUTES = 5.0


class Series(msgspec.Struct):
    """One figure over time. ``spare``: how much more in the last third than in the first is nothing yet."""

    name: str
    unit: str
    spare: float
    times: list[float] = []
    values: list[float] = []

    def add(self, at: float, value: float) -> None:
        self.times.append(at)
        self.values.append(value)

    @property
    def thirds(self) -> tuple[float, float, float]:
        """The means of the first third, the second, and the last."""
        size = max(1, len(self.values) // 3)
        cut = self.values[:size], self.values[size:-size] or self.values, self.values[-size:]
        return statistics.fmean(cut[0]), statistics.fmean(cut[1]), statistics.fmean(cut[2])

    @property
    def slope(self) -> float:
        """How much it grows in an hour, by least squares."""
        if len(self.times) < 2:
            return 0.0
        return statistics.linear_regression(self.times, self.values).slope * 3600

    @property
    def flat(self) -> bool:
        """Whether the last third has at most a tenth, and what is spared, more than the first."""
        first, _, last = self.thirds
        return last <= first * 1.1 + self.spare

    def row(self) -> str:
        first, second, last = self.thirds
        ratio = f"{last / first:5.2f}" if first else "    -"
        return (
            f"{self.name:28} {first:9,.1f} {second:9,.1f} {last:9,.1f} {ratio} {max(self.values):9,.1f} {self.slope:+11,.1f}   "
            f"{self.unit:8} {'flat' if self.flat else 'GROWS'}"
        )


class Figures:
    """All figures, from one report after the other."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}

    def add(self, at: float, found: StatusReport) -> None:
        """Take up a report. One without a balance has no lag."""
        for node in found.nodes:
            if node.pid:
                self._add(at, f"{node.name} memory", "MB", 5, node.process.memory_bytes / 1e6)
                self._add(at, f"{node.name} files", "files", 3, node.process.descriptors)
        if found.balance is not None and found.broker is not None:
            # The timers read once in a while: their lag swings up to `timers.every_seconds`.
            bolts = [one for one in found.balance.bolts if one.bolt != TIMERS]
            timers = [one for one in found.balance.bolts if one.bolt == TIMERS]
            self._add(at, "bolts lag", "records", 10_000, max(one.lag for one in bolts))
            self._add(at, "bolts lag in seconds", "s", 1, max(one.waiting for one in bolts))
            self._add(at, "timers lag in seconds", "s", 10, max(one.waiting for one in timers))
            self._add(at, "Queue on disk", "MB", 150, found.broker.disk_bytes / 1e6)

    @property
    def series(self) -> Sequence[Series]:
        return list(self._series.values())

    def _add(self, at: float, name: str, unit: str, spare: float, value: float) -> None:
        self._series.setdefault(name, Series(name, unit, spare)).add(at, value)


def write_history(log: Path, count: int) -> None:
    """Write ``count`` lines of the days before those of :func:`write`."""
    with log.open("wb") as file:
        file.writelines(
            line + b"\n" for line in lines.generate(count, kind=lines.PLAY, hours=24 * HISTORY_DAYS)
        )


def write(log: Path, rate: int, count: int) -> None:
    """Append ``count`` lines to ``log`` at a steady rate; rotate it, and delete what was rotated before.

    A day of the game takes ``DAY_SECONDS``.
    """
    days = max(1, count // (rate * DAY_SECONDS))
    start = lines.START + HISTORY_DAYS * 86_400
    source = lines.generate(count, kind=lines.PLAY, hours=24 * days, start=start)
    begin, written, piece = time.monotonic(), 0, 0
    while written < count:
        elapsed = time.monotonic() - begin
        if elapsed // ROTATE_SECONDS > piece:
            piece += 1
            log.rename(log.with_suffix(f".{piece}"))
            log.with_suffix(f".{piece - 1}").unlink(missing_ok=True)
        due = min(count, int(rate * elapsed)) - written
        with log.open("ab", buffering=0) as file:
            file.write(b"".join(next(source) + b"\n" for _ in range(due)))
        written += due
        gevent.sleep(TICK)


def configure(folder: Path, bolts: Sequence[str]) -> Path:
    """Write the configuration: little is kept in memory, so that the bounds are met soon."""
    path = end_to_end.configure(folder, "", {"main": bolts})
    text = path.read_text().replace("[store]", f"[store]\ncache_mb = {CACHE_MB}")
    text = text.replace(
        "[worker]\n",
        f"{SETTINGS}[timers]\nmax_known_mb = {KNOWN_MB}\n[worker]\nmax_known_accts = {KNOWN_ACCTS}\n",
    )
    path.write_text(text)
    return path


@click.command()
@click.option("--minutes", default=60.0, show_default=True, help="How long lines are written.")
@click.option("--rate", default=5_000, show_default=True, help="Lines a second.")
@click.option("--every", default=5.0, show_default=True, help="Seconds between two looks.")
@click.option("--warm-up", default=1200.0, show_default=True, help="Seconds whose looks are left out.")
@click.option("--history", default=1_000_000, show_default=True, help="Lines that are counted before.")
@click.option("--all-bolts", is_flag=True, help="Run every bolt, not only those that count accts.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; default: a temporary folder.")
def main(
    minutes: float,
    rate: int,
    every: float,
    warm_up: float,
    history: int,
    all_bolts: bool,
    folder: Path | None,
) -> None:
    """Print what grows at a steady rate. The exit status is 1 if anything does, or a line was not counted."""
    if SHORTEST_MINUTES <= minutes < 2 * warm_up / 60:
        raise click.UsageError(
            f"{minutes:g} minutes with a warm-up of {warm_up:g} s: expected at least twice the warm-up"
        )
    work = folder or Path(tempfile.mkdtemp(prefix="soak-"))
    bolts = list(BOLTS) if all_bolts else COMPARABLE
    path = configure(work, bolts)
    config = load(path)
    count, figures, slowest, unwell = int(rate * minutes * 60), Figures(), 0.0, set[str]()
    with Suite(path, NODES):
        write_history(work / "in" / "history.log", history)
        end_to_end.wait_until_settled(config, history)
        begin = time.monotonic()
        writing = gevent.spawn(write, work / "in" / "game.log", rate, count)
        while not writing.ready():
            asked = time.monotonic()
            found = report(config)
            slowest = max(slowest, time.monotonic() - asked)
            if asked - begin >= warm_up:
                figures.add(asked - begin, found)
                unwell.update(found.unwell)
            gevent.wait([writing], timeout=max(0.0, asked + every - time.monotonic()))
        writing.get()
        drain(config, 600)
        ended = report_with_balance(config)
    if folder is None:
        shutil.rmtree(work)
    assert ended.balance is not None, ended.problem
    accepted = sum(one.ever_accepted for one in ended.balance.spouts)
    count += history
    click.echo(f"{minutes:g} minutes at {rate:,} lines/s, {len(bolts)} bolts and the timers, embedded store")
    click.echo(
        f"{'':28} {'1st third':>9} {'2nd third':>9} {'3rd third':>9} ratio {'most':>9} {'an hour':>11}"
    )
    for series in figures.series:
        click.echo(series.row())
    click.echo(
        f"{accepted:,} of {count:,} lines counted; {' '.join(ended.balance.faults) or 'the balance adds up'}"
    )
    click.echo(
        f"the slowest report took {slowest:.2f} s; unwell at times: {', '.join(sorted(unwell)) or 'nothing'}"
    )
    grown = [series.name for series in figures.series if not series.flat]
    if minutes < SHORTEST_MINUTES:
        click.echo(f"less than {SHORTEST_MINUTES:g} minutes say nothing about what is flat")
    elif grown:
        click.echo(f"not flat: {', '.join(grown)}")
    sys.exit(1 if accepted != count or ended.balance.faults or (grown and minutes >= SHORTEST_MINUTES) else 0)


if __name__ == "__main__":
    main()
