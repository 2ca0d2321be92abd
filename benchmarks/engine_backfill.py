"""A backfill of journals by an engine, and the memory of all that takes part: the journals are written here, as the gamelog spout writes them."""

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import click

from analytics.broker.wire import tagged
from analytics.config import Config
from analytics.engine.adopt import begin_to_count
from analytics.engine.engines.local import FOLDER
from analytics.engine.engines.spark import SCRATCH
from analytics.engine.position import EnginePosition
from analytics.spouts.ends import Ends
from analytics.store import open_store
from analytics.system.processes import children, command_line
from analytics.testing.spark import SparkCluster
from benchmarks import lines

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "gamelog/bench@0123456789abcdef"
AT_ONCE = 10_000
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class BackfillRun:
    """What one took. ``peaks``: MB, of the largest process of each kind; ``scratch``: the most bytes in its files at one look."""

    seconds: float
    peaks: dict[str, float]
    scratch: int
    said: str


def write_journals(config: Config, count: int) -> int:
    """Write journals of so many lines, and say that an engine has passed them. Return their bytes.

    No document has them yet: the backfill counts them as records that no batch had counted.
    """
    left = lines.generate(count, kind=lines.PLAY)
    ends: dict[str, int] = {}
    first, minute = 1, datetime(2015, 1, 7, 16, 0, tzinfo=UTC)
    config.data.mkdir(parents=True, exist_ok=True)
    some = list(islice(left, AT_ONCE))
    while some:
        path = config.data / f"gamelog_{minute:%Y%m%d%H%M}.txt"
        with path.open("wb") as file:
            while some and file.tell() < config.journal.rotate_mb * 1e6:
                file.writelines(
                    line + b"\n" for line in tagged(SOURCE, range(first, first + len(some)), some)
                )
                first += len(some)
                some = list(islice(left, AT_ONCE))
            ends[path.name] = file.tell()
        minute += timedelta(hours=1)
    Ends(config, "gamelog").report(ends)
    with closing(open_store(config)) as store:
        begin_to_count(config, store)
        position = EnginePosition(store)
        position.commit(replace(position.load(), ends=ends))
    return sum(ends.values())


def run(path: Path, cluster: SparkCluster | None) -> BackfillRun:
    """Derive all documents again, and look at all processes meanwhile."""
    command = [sys.executable, "-m", "analytics", "--config", str(path), "engine", "backfill"]
    peaks: dict[str, float] = defaultdict(float)
    scratch, begin = 0, time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        while process.poll() is None:
            for name, pid in _processes(process.pid, cluster):
                peaks[name] = max(peaks[name], _peak(pid))
            scratch = max(
                scratch, _bytes_in(path.parent / "data" / FOLDER), _bytes_in(path.parent / "data" / SCRATCH)
            )
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - begin
        output.seek(0)
        said = [line for line in output.read().strip().splitlines() if " lines of " in line]
    if process.returncode or not said:
        raise click.ClickException(f"the backfill ended with status {process.returncode}: {' '.join(said)}")
    return BackfillRun(seconds, dict(peaks), scratch, said[-1])


def _processes(driver: int, cluster: SparkCluster | None) -> Iterator[tuple[str, int]]:
    """Yield the processes of a backfill that run, with their kind."""
    yield "driver", driver
    for child in _descendants(driver):
        yield "driver's Java" if "java" in Path((command_line(child) or [""])[0]).name else "task", child
    for executor in cluster.executors() if cluster else ():
        yield "executor's Java", executor
        yield from (("task", child) for child in _descendants(executor))


def _descendants(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield child
        yield from _descendants(child)


def _peak(pid: int) -> float:
    with suppress(OSError):
        for row in Path(f"/proc/{pid}/status").read_text().splitlines():
            if row.startswith("VmHWM"):
                return int(row.split()[1]) / 1024
    return 0.0


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total
