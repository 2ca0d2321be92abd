"""Query and export over journals: seconds and memory, beside DuckDB alone on the same lines.

DuckDB alone reads the lines of the same files with read_json and its own types, knows no zone, and counts repeats twice.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click

from benchmarks import lines

ROOT = Path(__file__).resolve().parents[1]
REPEATED = 100
"""Of so many lines one is journaled twice."""

IN_A_JOURNAL = 800_000
"""Lines; 256 MB, at which journals rotate."""

LOGINS = (
    "SELECT area, count(*), count(DISTINCT {acct}) FROM {table} WHERE {code} = 'login_logcount' GROUP BY ALL"
)
ALONE = """
import duckdb, sys
c = duckdb.connect()
c.execute("SET memory_limit = '1024MB'; SET temp_directory = '{folder}/spill'")
columns = {{"id": "VARCHAR", "op": "STRUCT(code VARCHAR)", "area": "VARCHAR", "ts": "BIGINT", "data": "JSON"}}
c.read_json("{folder}/data/gamelog_*.txt", format="newline_delimited", columns=columns).create_view("lines")
print(len(c.execute(sys.argv[1]).fetchall()))
"""


@dataclass(frozen=True, slots=True)
class Used:
    """What a process took: seconds, seconds of CPU, and MB of memory at most."""

    seconds: float
    cpu: float
    peak: float


def write_journals(folder: Path, count: int) -> int:
    """Write ``count`` lines to journals, some of them twice; return the bytes."""
    folder.mkdir(parents=True)
    size = 0
    for journal, numbered in groupby(enumerate(_named(count)), key=lambda pair: pair[0] // IN_A_JOURNAL):
        path = folder / f"gamelog_20150108{journal // 60:02}{journal % 60:02}.txt"
        with path.open("wb") as file:
            for n, line in numbered:
                file.write(line)
                if n % REPEATED == 0:
                    file.write(line)
        size += path.stat().st_size
    return size


def _named(count: int) -> Iterator[bytes]:
    for n, line in enumerate(lines.generate(count, kind=lines.PLAY), 1):
        yield b'{"id":"gamelog/bench@0123456789abcdef:%d",%b\n' % (n, line[1:])


def configure(folder: Path) -> Path:
    """Write a configuration that claims the lines' areas; return its path."""
    text = 'data = "data"\n' + "".join(f'[games.g.areas.{area}]\nplat = "1"\n' for area in lines.AREAS)
    path = folder / "analytics.toml"
    path.write_text(text)
    return path


def run(*command: str) -> Used:
    """Run a command of Python's to its end."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, *command], stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if process.returncode:
            raise click.ClickException(output.read())
    return Used(time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@click.command()
@click.option("--lines", "count", default=10_000_000, show_default=True, help="Lines of game logs.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to work. [default: a temporary folder]"
)
def main(count: int, folder: Path | None) -> None:
    """Write journals, then count logins by area in several ways, and export everything."""
    place = Path(tempfile.mkdtemp(prefix="export-", dir=folder))
    try:
        size = write_journals(place / "data", count)
        click.echo(f"{count:,} lines and {count // REPEATED:,} repeats, {size / 1e6:,.0f} MB")
        suite = ["-m", "analytics", "--config", str(configure(place))]
        alone = LOGINS.format(acct="data->>'$.acct'", table="lines", code="op.code")
        for what, command in {
            "nothing, as a start costs": [*suite, "query", "SELECT 1"],
            "DuckDB alone": ["-c", ALONE.format(folder=place), alone],
            "query gamelog_lines": [*suite, "query", _of_suite("gamelog_lines")],
            "query gamelog": [*suite, "query", _of_suite("gamelog")],
            "DuckDB alone, sort by time": [
                "-c", ALONE.format(folder=place), f"COPY (FROM lines ORDER BY ts) TO '{place}/alone.parquet' (COMPRESSION zstd)",
            ],
            "export": [*suite, "export", str(place / "lake"), "--only", "journals"],
        }.items():  # fmt: skip
            used = run(*command)
            click.echo(f"{what}: {used.seconds:.1f} s, {used.cpu:.1f} s of CPU, {used.peak:,.0f} MB")
        files = [path.stat().st_size for path in (place / "lake").rglob("*.parquet")]
        alone_size = (place / "alone.parquet").stat().st_size
        click.echo(
            f"exported {len(files):,} files, {sum(files) / 1e6:,.0f} MB; DuckDB alone {alone_size / 1e6:,.0f} MB"
        )
    finally:
        shutil.rmtree(place)


def _of_suite(table: str) -> str:
    return LOGINS.format(acct="acct", table=table, code="code")


if __name__ == "__main__":
    main()
