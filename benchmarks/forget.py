"""Forgetting accts in journals: seconds and memory, beside copying the same files."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click

from analytics.config import Config
from analytics.forget.files import record_files, rewrite
from analytics.forget.run import forget
from analytics.store import MemoryStore
from benchmarks import lines
from benchmarks.export import IN_A_JOURNAL

ROOT = Path(__file__).resolve().parents[1]
_ACCT = re.compile(rb'"acct":"([^"]+)"')


def write_journals(folder: Path, count: int) -> int:
    """Write lines of very many accts to journals, every other one gzipped; return their bytes, unpacked."""
    folder.mkdir(parents=True)
    size = 0
    numbered = enumerate(lines.generate(count, kind=lines.ACCTS), 1)
    for journal, some in groupby(numbered, key=lambda pair: pair[0] // IN_A_JOURNAL):
        path = folder / f"gamelog_20150108{journal // 60:02}{journal % 60:02}.txt"
        with gzip.open(f"{path}.gz", "wb", 6) if journal % 2 else path.open("wb") as file:
            for n, line in some:
                size += file.write(b'{"id":"gamelog/bench@0:%d",%b\n' % (n, line[1:]))
    return size


def accts_of(folder: Path, count: int) -> list[str]:
    """Return so many accts that occur in journals, from all of them."""
    paths = record_files(Config(data=folder))
    found: dict[bytes, None] = {}
    for path in paths:
        wanted = len(found) + -(-count // len(paths))
        for line in opened(path):
            if len(found) >= wanted:
                break
            found.update(dict.fromkeys(_ACCT.findall(line)))
    return [acct.decode() for acct in [*found][:count]]


def opened(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, which may be gzipped."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from file


def occurrences(folder: Path, accts: list[str]) -> int:
    """Return how many lines name one of these accts."""
    names = {acct.encode() for acct in accts}
    return sum(
        not names.isdisjoint(_ACCT.findall(line))
        for path in record_files(Config(data=folder))
        for line in opened(path)
    )


def measured(*words: str) -> tuple[float, float, float, str]:
    """Run this module with ``words``; return the seconds, those of CPU, the peak memory in MB, and what it prints."""
    command = [sys.executable, "-m", "benchmarks.forget", *words]
    begin = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, env=environment, cwd=ROOT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().strip()
    if process.returncode:
        raise click.ClickException(said)
    return time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said


@click.command()
@click.option("--lines", "count", default=10_000_000, show_default=True, help="Lines of game logs; 2 GB.")
@click.option("--accts", default=1_000, show_default=True, help="Accts to forget.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write. [default: a temporary one]")
@click.option("--only", type=click.Choice(["copy", "forget"]), hidden=True)
def main(count: int, accts: int, folder: Path | None, only: str | None) -> None:
    """Write journals, every other one gzipped, and forget accts in them."""
    if only and folder:
        data = folder / "data"
        if only == "copy":
            for path in record_files(Config(data=data)):
                rewrite(path, lambda block: block)
        else:
            report = forget(Config(data=data), MemoryStore(), (folder / "accts").read_text().split())
            click.echo(f"{sum(report.places.values()):,} places in {sum(report.files.values())} files")
        return
    folder = folder or Path(tempfile.mkdtemp(prefix="forget-"))
    data = folder / "data"
    try:
        size = write_journals(data, count)
        names = accts_of(data, accts)
        (folder / "accts").write_text("\n".join(names))
        click.echo(f"{count:,} lines, {size / 1e6:,.0f} MB, {len(names):,} accts")
        for what in ("copy", "forget"):
            seconds, cpu, peak, said = measured("--only", what, "--folder", str(folder))
            click.echo(f"{what}: {seconds:.1f} s, {cpu:.1f} s of CPU, {peak:.0f} MB. {said}")
        click.echo(f"lines that still name one of them: {occurrences(data, names):,}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
