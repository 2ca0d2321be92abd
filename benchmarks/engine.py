"""What an engine costs beside broker and workers, on the same lines: lines a second, CPU and bytes of deltas a line, seconds to a
document, and after kills. And what a backfill takes.

Everything runs on this machine, mongod and, for Spark, master and workers, so the figures of several executors also show what they
take from each other.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from analytics.cluster import open_registry
from analytics.config import load
from analytics.errors import Unavailable
from analytics.runtime.engine_progress import EngineProgress
from analytics.runtime.suite import Suite
from analytics.store import Store, open_store
from analytics.system.processes import children
from analytics.testing.spark import SparkCluster
from benchmarks import end_to_end, engine_backfill, latency, lines, stores, throughput

SUITE, LOCAL, SPARK = "suite", "local", "spark"
RUNS = [(SUITE, 0), (LOCAL, 1), (LOCAL, 2), (SPARK, 1), (SPARK, 2)]
WARM_UP = 2_000
PATIENCE = 1_800.0
POLL_SECONDS = 0.1
REPORTED_SECONDS = 4.0
"""After this, the registry has what the driver reported a second ago."""
KILLED = ("executor", "worker", "master", "driver")


@dataclass
class Running:
    """A suite that runs: broker and workers, or an engine with its cluster."""

    folder: Path
    suite: Suite
    store: Store
    pids: dict[str, int]
    cluster: SparkCluster | None

    def batches(self) -> int:
        """Return how many batches the engine has committed."""
        progress = EngineProgress.load(self.store)
        return progress.batch if progress else 0

    def counted(self) -> int:
        """Return how many records of game logs the engine has committed."""
        progress = EngineProgress.load(self.store)
        return sum(progress.records.values()) if progress else 0

    def shuffled(self) -> int:
        """Return how many bytes of deltas tasks have written, as the driver reports it."""
        time.sleep(REPORTED_SECONDS)
        with closing(open_registry(self.suite.config)) as registry:
            return sum(
                node.state.get("shuffled_bytes", 0) for node in registry.list() if node.name == "engine"
            )

    def wait_until_counted(self, records: int) -> None:
        """Return when so many records are in documents."""
        if not self.suite.config.engine.kind:
            end_to_end.wait_until_settled(self.suite.config, records, PATIENCE)
            return
        until = time.monotonic() + PATIENCE
        while self.counted() < records:
            if time.monotonic() > until:
                raise Unavailable(f"{self.counted()} of {records} records are counted after {PATIENCE:g} s")
            time.sleep(POLL_SECONDS)

    def cpu(self) -> dict[str, float]:
        """Return CPU seconds of each process, with its children; of executors Python's apart from Java's."""
        found = {name: end_to_end.usage(pid).cpu for name, pid in self.pids.items()}
        if self.cluster:
            executors = self.cluster.executors()
            python = sum(end_to_end.usage(child).cpu for pid in executors for child in children(pid))
            java = sum(found.pop(f"worker {number}") for number in range(len(self.cluster.workers)))
            driver = sum(
                end_to_end.usage(java).cpu
                for process in children(self.pids["engine"])
                for java in children(process)
            )
            found["engine"] -= driver
            found |= {"its Java": driver, "executors' Python": python, "and Java": java - python}
        return found


@contextmanager
def running(kind: str, tasks: int, batch_seconds: float, work: Path) -> Iterator[Running]:
    """Start a suite on a mongod of its own, and count some lines, so that everything is connected."""
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}{tasks}-", dir=work))
    groups = throughput.groups(all_bolts=True)
    with ExitStack() as stack:
        uri, servers = stack.enter_context(stores.opened(stores.MONGOD, folder / "mongod"))
        cluster = stack.enter_context(SparkCluster(folder / "spark", tasks)) if kind == SPARK else None
        path = end_to_end.configure(folder, uri, groups)
        nodes = [["engine"], ["gamelog"]]
        if kind == SUITE:
            nodes = [["broker"], ["gamelog"], *([name] for name in groups)]
        else:
            path.write_text(path.read_text() + _section(kind, tasks, batch_seconds, cluster))
        suite = stack.enter_context(Suite(path, nodes))
        store = open_store(load(path))
        stack.callback(store.close)
        pids = servers | {name: suite.pid(name) for name in suite.names}
        if cluster:
            pids["master"] = cluster.master.pid
            pids |= {f"worker {number}": one.pid for number, one in enumerate(cluster.workers)}
        found = Running(folder, suite, store, pids, cluster)
        first = folder / "first.log"
        lines.write(first, WARM_UP, seed=2, kind=lines.PLAY)
        os.link(first, folder / "in" / "first.log")
        found.wait_until_counted(WARM_UP)
        yield found
    shutil.rmtree(folder)


def _section(kind: str, tasks: int, batch_seconds: float, cluster: SparkCluster | None) -> str:
    text = f'\n[engine]\nkind = "{kind}"\ntasks = {tasks}\nbatch_seconds = {batch_seconds}\n'
    if cluster:
        conf = ", ".join(f'"{name}" = "{value}"' for name, value in cluster.conf(quick=False).items())
        text += f'master = "{cluster.url}"\nconf = {{ {conf} }}\n'
    return text


@click.command()
@click.option("--lines", "count", default=300_000, show_default=True, help="Lines a run.")
@click.option("--runs", default=2, show_default=True, help="Runs of each kind, in turn.")
@click.option("--only", type=click.Choice([SUITE, LOCAL, SPARK]), multiple=True, help="Measure only these.")
@click.option(
    "--latency",
    "batches",
    type=float,
    multiple=True,
    help="Measure seconds to a document with this batch_seconds.",
)
@click.option("--rate", default=1_000, show_default=True, help="Lines a second while seconds are measured.")
@click.option("--backfill", is_flag=True, help="Measure a backfill of journals, and nothing else.")
@click.option(
    "--backfill-lines", default=50_000_000, show_default=True, help="Lines of its journals: 0.35 kB each."
)
@click.option(
    "--kills", is_flag=True, help="Measure seconds to the first new number after each kind of kill on Spark."
)
def main(
    count: int,
    runs: int,
    only: tuple[str, ...],
    batches: tuple[float, ...],
    rate: int,
    backfill: bool,
    backfill_lines: int,
    kills: bool,
) -> None:
    """Measure engines."""
    work = Path(tempfile.mkdtemp(prefix="engine-"))
    kinds = [one for one in RUNS if one[0] in (only or (SUITE, LOCAL, SPARK))]
    if backfill:
        for kind, tasks in kinds:
            if kind != SUITE:
                _measure_backfill(kind, tasks, backfill_lines, work)
        count, batches, kills = 0, (), False
    if count:
        source = work / "lines.log"
        lines.write(source, count, kind=lines.PLAY)
        click.echo(f"{count:,} lines, {source.stat().st_size / 1e6:,.0f} MB, every bolt, store: mongod")
        for _ in range(runs):
            for kind, tasks in kinds:
                _measure_throughput(kind, tasks, source, count, work)
    for batch_seconds in batches:
        for kind, tasks in kinds:
            if kind != SUITE:
                _measure_latency(kind, tasks, batch_seconds, rate, work)
    if kills:
        _measure_kills(work)
    shutil.rmtree(work)


def _measure_throughput(kind: str, tasks: int, source: Path, count: int, work: Path) -> None:
    with running(kind, tasks, 1.0, work) as found:
        shuffled = found.shuffled() if kind != SUITE else 0
        before, begin, batches = found.cpu(), time.monotonic(), found.batches()
        os.link(source, found.folder / "in" / "bench.log")
        found.wait_until_counted(WARM_UP + count)
        seconds, after = time.monotonic() - begin, found.cpu()
        used = {name: (after[name] - before[name]) * 1e6 / count for name in after}
        own = sum(used.values()) - used[stores.MONGOD]
        if kind != SUITE:
            shuffled = found.shuffled() - shuffled
        each = ", ".join(f"{name} {cpu:.1f}" for name, cpu in used.items())
        click.echo(
            f"{kind} {tasks or ''}: {count / seconds:,.0f} lines/s, {own:.1f} CPU us a line without mongod ({each}); "
            f"{found.batches() - batches} batches; {shuffled / 1e6:.1f} MB of deltas, {shuffled / count:.0f} bytes a line; load {os.getloadavg()[0]:.1f}"
        )


def _measure_latency(kind: str, tasks: int, batch_seconds: float, rate: int, work: Path) -> None:
    probes = latency.Probes()
    with running(kind, tasks, batch_seconds, work) as found:
        seconds = max(20.0, 4 * batch_seconds)
        latency.measure(found.folder / "analytics.toml", rate, seconds, lines.PLAY, probes)
    took = sorted(probes.seconds)
    click.echo(
        f"{kind} {tasks}, batch_seconds {batch_seconds:g}, {rate:,} lines/s, {len(took)} probes, {probes.out} lost: p50 "
        f"{took[len(took) // 2]:.1f} s, p99 {took[int(len(took) * 0.99)]:.1f} s; load {os.getloadavg()[0]:.1f}"
    )


def _measure_backfill(kind: str, tasks: int, count: int, work: Path) -> None:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}{tasks}-", dir=work))
        uri, servers = stack.enter_context(stores.opened(stores.MONGOD, folder / "mongod"))
        cluster = stack.enter_context(SparkCluster(folder / "spark", tasks)) if kind == SPARK else None
        path = end_to_end.configure(folder, uri, throughput.groups(all_bolts=True))
        path.write_text(path.read_text() + _section(kind, tasks, 1.0, cluster))
        config = load(path)
        size = engine_backfill.write_journals(config, count)
        for what in ("no documents yet", "all documents right"):
            run = engine_backfill.run(path, cluster)
            click.echo(
                f"backfill, {kind} {tasks}, {count:,} lines, {size / 1e6:,.0f} MB, {what}: {run.seconds:,.1f} s, {count / run.seconds:,.0f} lines/s; "
                f"peak memory in MB: {', '.join(f'{name} {mb:,.0f}' for name, mb in run.peaks.items())}, mongod "
                f"{end_to_end.usage(servers[stores.MONGOD]).peak:,.0f}; {run.scratch / 1e6:,.0f} MB of deltas at most; {run.said}; load {os.getloadavg()[0]:.1f}"
            )
    shutil.rmtree(folder)


def _measure_kills(work: Path) -> None:
    probes = latency.Probes()
    with running(SPARK, 2, 1.0, work) as found:
        assert found.cluster is not None
        for what in KILLED:
            begin = time.monotonic()
            if what == "executor":
                os.kill(found.cluster.executors()[0], signal.SIGKILL)
            elif what == "driver":
                found.suite.kill("engine")
                found.suite.restart("engine", wait=False)
            else:
                process = found.cluster.master if what == "master" else found.cluster.workers[0]
                process.kill()
                process.start()
            with (found.folder / "in" / "probes.log").open("ab") as file:
                file.write(probes.line() + b"\n")
            while probes.out:
                probes.look(found.store)
                time.sleep(POLL_SECONDS)
            click.echo(
                f"{time.monotonic() - begin:.1f} s from the kill of {what} to the next number; load {os.getloadavg()[0]:.1f}"
            )
            found.cluster.wait_until_up()


if __name__ == "__main__":
    main()
