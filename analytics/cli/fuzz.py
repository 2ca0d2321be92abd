"""``analytics fuzz``: whether every road that a line can take says the same of it."""

import random
import subprocess
import sys
import time

import click

from analytics.errors import AnalyticsError
from analytics.testing.fuzz import Fuzzed
from analytics.testing.fuzz import fuzz as compare

PROGRESS_SECONDS = 30.0


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long to compare.")
@click.option("--lines", type=click.IntRange(min=1), help="End after so many lines.")
@click.option("--seed", type=int, help="Which lines; default: drawn, and printed.")
@click.option(
    "--processes", type=click.IntRange(1, 256), default=1, show_default=True,
    help="Run so many at once, each with a seed of its own: --seed and those that follow.",
)  # fmt: skip
def fuzz(seconds: float, lines: int | None, seed: int | None, processes: int) -> None:
    """Take generated lines, many of them damaged, over every road, and compare.

    The roads are: compiled code, decoding a chunk as a whole, reading it line by line, with other lines around it, and
    from a journal; and for what is accepted, the columns and the tuples that workers read. The first disagreement ends
    the run, cut down to the few lines that show it.
    """
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    if processes > 1:
        _run_several(range(seed, seed + processes), seconds, lines)
        return
    click.echo(f"seed {seed}")
    begun = next_report = time.monotonic()

    def progress(done: Fuzzed) -> None:
        nonlocal next_report
        now = time.monotonic()
        if now >= next_report:
            next_report = now + PROGRESS_SECONDS
            rate = done.lines / max(now - begun, 1e-9)
            click.echo(f"seed {seed}: {done.lines:,} lines so far, {rate:,.0f}/s", err=True)

    done = compare(seed, seconds, lines or 0, progress)
    click.echo(
        f"seed {seed}: {done.lines:,} lines, {done.accepted:,} accepted, {int(done.found is not None)} disagreements"
    )
    if done.found is not None:
        shown = "\n".join(map(repr, done.found.lines))
        raise AnalyticsError(
            f"two roads disagree about\n{shown}\n{done.found.what}\nRepeat with --seed {seed}"
        )


def _run_several(seeds: range, seconds: float, lines: int | None) -> None:
    """Run one process for each seed. Raise AnalyticsError if any failed; what it found is printed by then."""
    limits = ["--seconds", str(seconds), *(["--lines", str(lines)] if lines else [])]
    command = [sys.executable, "-m", "analytics", "fuzz", *limits, "--seed"]
    running = [subprocess.Popen([*command, str(seed)]) for seed in seeds]
    try:
        failed = [str(seed) for seed, one in zip(seeds, running, strict=True) if one.wait()]
    finally:
        for one in running:
            one.terminate()
    if failed:
        raise AnalyticsError(f"of {len(seeds)} processes {len(failed)} failed: seeds {', '.join(failed)}")
