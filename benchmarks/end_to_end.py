"""One run from end to end over a file of lines: real processes, and what each of them took."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from analytics.bolts import BOLTS
from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState, totals
from analytics.config import Config, load
from analytics.errors import Unavailable
from analytics.runtime.suite import Suite
from analytics.system.processes import children
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports
from benchmarks import lines, stores

POLL_SECONDS = 0.02
SELDOM_SECONDS = 0.1
"""While records still arrive. An answer takes the broker about a millisecond, which the suite would lack."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process (and its children) took since it began: CPU seconds, peak memory in MB, MB written."""

    cpu: float
    peak: float
    written: float


Groups = Mapping[str, Sequence[str]]
"""Worker processes by name, and the bolts that each one runs."""


def configure(folder: Path, uri: str, groups: Groups, *, dashboard: bool = False, mapping: str = "") -> Path:
    """Write a configuration that follows ``folder/in/*.log``, and return its path. ``mapping``: what its lines mean, as TOML."""
    (folder / "in").mkdir(parents=True)
    workers = "\n".join(f"{name} = {json.dumps(list(bolts))}" for name, bolts in groups.items())
    text = f"""
data = "data"
[mongodb]
uri = "{uri}"
{on_ports(*free_ports(5 if dashboard else 4))}
[[gamelog.sources]]
name = "bench"
kind = "file"
path = "in/*.log"
game = "dl"
{mapping}
[worker]
left_out = {json.dumps([name for name in BOLTS if not any(name in bolts for bolts in groups.values())])}
[worker.groups]
{workers}
{lines.games()}"""
    path = folder / "analytics.toml"
    path.write_text(text)
    return path


def usage(pid: int) -> Usage:
    """Return what a running process has taken so far, its children included."""
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    cpu = (int(stat[11]) + int(stat[12])) / TICKS
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next((int(row.split()[1]) for row in rows if "VmHWM" in row), 0)  # none of one that has ended
    io = dict(row.split(": ") for row in Path(f"/proc/{pid}/io").read_text().splitlines())
    total = Usage(cpu, peak / 1024, int(io["write_bytes"]) / 1e6)
    for child in children(pid):
        with suppress(OSError):  # it has just ended
            more = usage(child)
            total = Usage(total.cpu + more.cpu, max(total.peak, more.peak), total.written + more.written)
    return total


def settled(state: BrokerState, records: int) -> bool:
    """Whether ``records`` game log records are in the log, and every bolt is past everything that it reads."""
    if totals(state.heads, "gamelog") < records:
        return False
    return all(
        state.heads[topic].number <= position.number
        for bolt, positions in state.bolts.items()
        for topic, position in positions.items()
        if bolt in BOLTS and topic in state.heads  # the timers do not run here
    )


def wait_until_settled(config: Config, records: int, timeout: float = 1800) -> None:
    """Return when every number of ``records`` records is written."""
    refill = Refill(config.broker, 60)
    deadline = time.monotonic() + timeout
    try:
        while not settled(state := refill.state(), records):
            if time.monotonic() > deadline:
                raise Unavailable(f"{records} records are not settled after {timeout} s: {state}")
            time.sleep(POLL_SECONDS if totals(state.heads, "gamelog") >= records else SELDOM_SECONDS)
    finally:
        refill.close()


def run(
    folder: Path,
    source: Path,
    records: int,
    store: str,
    groups: Groups,
    check: Callable[[], None] = lambda: None,
    mapping: str = "",
) -> tuple[float, dict[str, Usage]]:
    """Carry the lines of ``source`` through a suite of its own; return seconds, and the usage per process.

    Args:
        store: one of ``stores.STORES``.
        check: called while the suite still runs.
        mapping: what the lines mean, as TOML; empty: they have the documented shape.
    """
    nodes = [["broker"], ["gamelog"], *([name] for name in groups)]
    with stores.opened(store, folder / "mongod") as (uri, servers):
        path = configure(folder, uri, groups, dashboard=True, mapping=mapping)
        config = load(path)
        with Suite(path, nodes if uri else [["store"], *nodes]) as suite:
            pids = servers | {name: suite.pid(name) for name in suite.names}
            before = {name: usage(pid) for name, pid in pids.items()}
            begin = time.monotonic()
            os.link(source, folder / "in" / "bench.log")
            wait_until_settled(config, records)
            seconds = time.monotonic() - begin
            after = {name: usage(pid) for name, pid in pids.items()}
            check()
    used = {
        name: Usage(one.cpu - before[name].cpu, one.peak, one.written - before[name].written)
        for name, one in after.items()
    }
    return seconds, used
