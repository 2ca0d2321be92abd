"""Lines a second through the whole suite, against a bare in-memory loop over the same lines in the same run.

The suite's time begins when the file appears in the spout's folder and ends when the last document that
depends on it is written and every bolt has saved its position.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from analytics.bolts import BOLTS
from benchmarks import lines, road

# The bolts whose numbers the bare loop computes, and the one that reads theirs.
COMPARABLE = ["loginhour", "loginday", "signuphour", "signupday", "createrolehour", "createroleday", "server"]


@click.command()
@click.option("--lines", "count", default=1_000_000, show_default=True, help="Lines a run.")
@click.option("--store", type=click.Choice(["counting", "embedded"]), default="counting", show_default=True)
@click.option("--runs", default=3, show_default=True, help="Pairs of runs: medians are printed.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; default: a temporary folder.")
@click.option("--all-bolts", is_flag=True, help="Run every bolt, not only those that the bare loop computes.")
def main(count: int, store: str, runs: int, folder: Path | None, all_bolts: bool) -> None:
    """Measure the road."""
    work = folder or Path(tempfile.mkdtemp(prefix="throughput-"))
    work.mkdir(parents=True, exist_ok=True)
    source = work / "lines.log"
    click.echo(f"{count:,} lines, {len(lines.AREAS)} areas, {lines.HOURS} hours, store: {store}")
    lines.write(source, count)
    ratios, bare_rates, rates = [], [], []
    bolts = list(BOLTS) if all_bolts else COMPARABLE
    for number in range(1, runs + 1):
        bare = json.loads(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.bare", str(source)], check=True, capture_output=True
            ).stdout
        )
        run_folder = work / f"run{number}"
        shutil.rmtree(run_folder, ignore_errors=True)
        seconds, used = road.run(run_folder, source, count, "" if store == "embedded" else "counting:", bolts)
        shutil.rmtree(run_folder)
        ratios.append(bare["seconds"] / seconds)
        bare_rates.append(count / bare["seconds"])
        rates.append(count / seconds)
        click.echo(
            f"run {number}: bare {bare_rates[-1]:,.0f} lines/s, suite {rates[-1]:,.0f} lines/s, ratio {ratios[-1]:.2f}"
        )
        for name, one in used.items():
            click.echo(
                f"    {name:10} {one.cpu * 1e6 / count:6.2f} CPU us a line   peak {one.peak:6.0f} MB   "
                f"written {one.written:8.0f} MB"
            )
    click.echo(
        f"median: bare {statistics.median(bare_rates):,.0f} lines/s, suite {statistics.median(rates):,.0f} lines/s, "
        f"ratio {statistics.median(ratios):.2f}"
    )
    if folder is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
