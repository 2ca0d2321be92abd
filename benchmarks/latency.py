"""From a line in the game's log to its number in MongoDB: how many seconds, at a steady rate of lines.

Every 50th line is a probe: the login of an acct that nobody else has, in an hour document of its own. A
reader asks the store for all probes that are still out, a few times a second, and notes when each is there;
what the reader's own period adds is part of the figures.
"""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import click
import msgspec

from analytics.config import load
from analytics.runtime.suite import Suite
from analytics.store import Store, open_store
from benchmarks import end_to_end, lines, stores, throughput

PROBE_EVERY = 50
PROBE_START = lines.START + 100 * 86400
TICK = 0.01
READ_SECONDS = 0.1
KEEPING = [stores.EMBEDDED, stores.MONGOD]
"""Stores in which a probe can be found."""


class Probes:
    """Probes that are out, by the document that will show them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._out: dict[str, float] = {}
        self._made = 0
        self._lock = threading.Lock()

    @property
    def out(self) -> int:
        return len(self._out)

    def line(self) -> bytes:
        """Return the next probe's line; its time runs from now."""
        area = lines.AREAS[self._made % len(lines.AREAS)]
        ts = PROBE_START + self._made // len(lines.AREAS) * 3600
        self._made += 1
        with self._lock:
            self._out[f"{area}:{ts}"] = time.monotonic()
        data = {
            "corpid": 2001,
            "acct": f"probe{self._made}",
            "server_name": "s",
            "opno": 1003,
            "opname": "login_logcount",
        }
        return msgspec.json.encode(
            {"op": {"code": "login_logcount", "id": 1003}, "area": area, "ts": ts, "data": data}
        )

    def look(self, store: Store) -> None:
        """Note the time of every probe that the store now has."""
        with self._lock:
            waiting = list(self._out)
        found = store.load("loginhour", waiting) if waiting else {}
        now = time.monotonic()
        with self._lock:
            self.seconds += [now - self._out.pop(key) for key in found]


def write(path: Path, rate: int, seconds: float, kind: lines.Kind, probes: Probes) -> None:
    """Append lines to ``path`` at a steady rate."""
    source = lines.generate(int(rate * seconds), kind=kind)
    begin, written = time.monotonic(), 0
    with path.open("ab", buffering=0) as file:
        while (elapsed := time.monotonic() - begin) < seconds:
            due = int(rate * elapsed) - written
            text = []
            for number in range(written, written + due):
                text.append(probes.line() if number % PROBE_EVERY == 0 else next(source))
            written += due
            file.write(b"".join(line + b"\n" for line in text))
            time.sleep(TICK)


@click.command()
@click.option("--rate", default=5_000, show_default=True, help="Lines a second.")
@click.option("--seconds", default=30.0, show_default=True)
@click.option("--store", type=click.Choice(KEEPING), default=stores.EMBEDDED, show_default=True)
@click.option("--all-bolts", is_flag=True, help="Run every bolt over lines of all op codes.")
def main(rate: int, seconds: float, store: str, all_bolts: bool) -> None:
    """Measure the latency."""
    folder = Path(tempfile.mkdtemp(prefix="latency-"))
    groups = throughput.groups(all_bolts)
    probes = Probes()
    with stores.opened(store, folder / "mongod") as (uri, servers):
        path = end_to_end.configure(folder, uri, groups)
        nodes = [["broker"], ["gamelog"], *([name] for name in groups)]
        with Suite(path, nodes if uri else [["store"], *nodes]) as suite:
            pids = servers | {name: suite.pid(name) for name in suite.names}
            before = {name: end_to_end.usage(pid).cpu for name, pid in pids.items()}
            measure(path, rate, seconds, lines.PLAY if all_bolts else lines.ACCTS, probes)
            used = {name: end_to_end.usage(pid).cpu - before[name] for name, pid in pids.items()}
    shutil.rmtree(folder)
    took = sorted(probes.seconds)
    if probes.out or not took:
        raise click.ClickException(f"{probes.out} probes never came, {len(took)} did")
    bolts = sum(len(of) for of in groups.values())
    click.echo(f"{rate:,} lines/s for {seconds:.0f} s, {bolts} bolts, {len(took)} probes, store: {store}")
    click.echo(
        f"line to document: p50 {took[len(took) // 2]:.2f} s, p99 {took[int(len(took) * 0.99)]:.2f} s, worst {took[-1]:.2f} s"
    )
    click.echo("CPU s: " + ", ".join(f"{name} {cpu:.1f}" for name, cpu in used.items()))


def measure(path: Path, rate: int, seconds: float, kind: lines.Kind, probes: Probes) -> None:
    """Write lines to the suite that runs at ``path``, and read its store until every probe is there, or for a minute more."""
    game_log = path.parent / "in" / "game.log"
    writer = threading.Thread(target=write, args=(game_log, rate, seconds, kind, probes))
    writer.start()
    store = open_store(load(path))
    deadline = time.monotonic() + seconds + 60
    while (writer.is_alive() or probes.out) and time.monotonic() < deadline:
        probes.look(store)
        time.sleep(READ_SECONDS)
    store.close()


if __name__ == "__main__":
    main()
