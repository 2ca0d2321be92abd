"""Lines a second through the whole suite, against a bare in-memory loop over the same lines in the same run.

The suite's time begins when the file appears in the spout's folder and ends when the last document that
depends on it is written and every bolt has saved its position. With ``--all-bolts`` the lines are those of a
game in play, and the loop computes what all bolts that read a game log count; then follows what each bolt costs.
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
from benchmarks import costs, end_to_end, lines, stores

# The bolts whose numbers the short bare loop computes, and the one that reads theirs.
COMPARABLE = ["loginhour", "loginday", "signuphour", "signupday", "createrolehour", "createroleday", "server"]
# With all bolts on, the workers have most to do: two of them, with about as much each.
PLAY = ["gamecopy", "mainline", "shop"]


@click.command()
@click.option("--lines", "count", default=1_000_000, show_default=True, help="Lines a run.")
@click.option("--store", type=click.Choice(stores.STORES), default=stores.COUNTING, show_default=True)
@click.option("--runs", default=3, show_default=True, help="Pairs of runs: medians are printed.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; default: a temporary folder.")
@click.option("--all-bolts", is_flag=True, help="Run every bolt over lines of all op codes.")
@click.option(
    "--mapped", is_flag=True, help="Have the suite read the lines as another game writes them, by a mapping."
)
def main(count: int, store: str, runs: int, folder: Path | None, all_bolts: bool, mapped: bool) -> None:
    """Measure lines a second from a log file to the last document, beside a bare loop in memory."""
    work = folder or Path(tempfile.mkdtemp(prefix="throughput-"))
    work.mkdir(parents=True, exist_ok=True)
    source = work / "lines.log"
    kind = lines.PLAY if all_bolts else lines.ACCTS
    click.echo(f"{count:,} lines, {len(lines.AREAS)} areas, {lines.HOURS} hours, store: {store}")
    lines.write(source, count, kind=kind)
    read, mapping = source, ""
    if mapped:
        read, mapping = source.with_name("foreign.jsonl"), lines.MAPPING
        lines.rewrite(source, read)
    ratios, bare_rates, rates = [], [], []
    for number in range(1, runs + 1):
        bare = _bare(source, all_bolts)
        run_folder = work / f"run{number}"
        shutil.rmtree(run_folder, ignore_errors=True)
        seconds, used = end_to_end.run(run_folder, read, count, store, groups(all_bolts), mapping=mapping)
        shutil.rmtree(run_folder)
        ratios.append(bare["seconds"] / seconds)
        bare_rates.append(count / bare["seconds"])
        rates.append(count / seconds)
        click.echo(
            f"run {number}: bare {bare_rates[-1]:,.0f} lines/s, suite {rates[-1]:,.0f} lines/s, ratio {ratios[-1]:.2f}"
        )
        click.echo(f"    {'bare loop':10} {bare['cpu'] * 1e6 / count:6.2f} CPU us a line")
        for name, one in used.items():
            click.echo(
                f"    {name:10} {one.cpu * 1e6 / count:6.2f} CPU us a line   peak {one.peak:6.0f} MB   "
                f"written {one.written:8.0f} MB"
            )
    click.echo(
        f"median: bare {statistics.median(bare_rates):,.0f} lines/s, suite {statistics.median(rates):,.0f} lines/s, "
        f"ratio {statistics.median(ratios):.2f}"
    )
    if all_bolts:
        _print_costs(source)
    if folder is None:
        shutil.rmtree(work)


def groups(all_bolts: bool) -> dict[str, list[str]]:
    """Return the bolts of each worker process: every bolt, or those that the short bare loop computes."""
    if not all_bolts:
        return {"main": COMPARABLE}
    return {"main": [name for name in BOLTS if name not in PLAY], "play": PLAY}


def _bare(source: Path, all_bolts: bool) -> dict[str, float]:
    """Return the wall and CPU seconds that the bare loop takes, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bare", str(source), *(["all"] if all_bolts else [])]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def _print_costs(source: Path) -> None:
    alone, together = costs.measure(source)
    click.echo("CPU ns a tuple, each bolt alone in this process, without store and broker:")
    click.echo(f"    {'':15} {'tuples':>9} {'fold':>7} {'settle':>7} {'both':>7}   writes")
    for name, one in [*alone.items(), ("together", together)]:
        click.echo(
            f"    {name:15} {one.tuples:9,} {one.each(one.fold):7,.0f} {one.each(one.settle):7,.0f} "
            f"{one.each(one.fold + one.settle):7,.0f}   {one.written:,}"
        )


if __name__ == "__main__":
    main()
