"""Deriving documents again from journals: how long it takes and how much memory, sound documents and none at all."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from analytics.bolts import BOLTS
from analytics.config import load
from analytics.runtime.suite import Suite
from analytics.store import Store, open_store
from benchmarks import end_to_end, lines

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 500


def rebuild(path: Path) -> tuple[float, float, float, str]:
    """Return the seconds that a rebuild took, its CPU seconds, its peak memory in MB, and its last words."""
    command = [sys.executable, "-m", "analytics", "--config", str(path), "rebuild", "--timeout", "600"]
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().strip().splitlines()
    if process.returncode:
        raise click.ClickException("\n".join(said))
    return time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said[-1]


def delete_all(store: Store) -> None:
    """Delete every document of every bolt."""
    for name in BOLTS:
        ids = [one["_id"] for one in store.find(name)]
        for begin in range(0, len(ids), AT_ONCE):
            store.delete(name, ids[begin : begin + AT_ONCE])


@click.command()
@click.option("--lines", "count", default=2_000_000, show_default=True, help="Lines of game logs.")
@click.option("--kind", type=click.Choice(["play", "accts"]), default="play", show_default=True)
def main(count: int, kind: str) -> None:
    """Count lines on the embedded store, then rebuild twice: sound documents, and none at all."""
    folder = Path(tempfile.mkdtemp(prefix="rebuild-"))
    path = end_to_end.configure(folder, "", {"main": list(BOLTS)})
    config = load(path)
    source = folder / "source"
    some = lines.generate(count, kind=lines.PLAY if kind == "play" else lines.ACCTS)
    with source.open("wb") as file:
        file.writelines(line + b"\n" for line in some)
    try:
        with Suite(path, [["store"], ["broker"], ["gamelog"], ["main"], ["timers"]]):
            os.link(source, folder / "in" / "bench.log")
            end_to_end.wait_until_settled(config, count)
            store = open_store(config)
            for what in ("sound", "deleted"):
                if what == "deleted":
                    delete_all(store)
                seconds, cpu, peak, said = rebuild(path)
                click.echo(
                    f"{what}: {seconds:.1f} s, {cpu:.1f} s of CPU, {count / seconds:,.0f} lines/s, {peak:.0f} MB. {said}"
                )
            store.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
