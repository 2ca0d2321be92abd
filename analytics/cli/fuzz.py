"""``analytics fuzz``: checks that all decoders of lines agree."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from analytics.cli.console import pace
from analytics.errors import AnalyticsError
from analytics.runtime.suite import Suite
from analytics.testing.fuzz import fuzz as compare
from analytics.testing.ports import free_ports
from analytics.testing.setting import games, on_ports
from analytics.testing.storm import storm

PROGRESS_SECONDS = 30.0  # between two lines of progress


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long to compare.")
@click.option("--frames", type=click.IntRange(min=1), help="Send this many frames to a broker instead.")
@click.option("--lines", type=click.IntRange(min=1), help="End after this many lines.")
@click.option("--seed", type=int, help="Seed of the lines or frames. [default: random, and printed]")
@click.option(
    "--processes", type=click.IntRange(1, 256), default=1, show_default=True,
    help="Run this many in parallel, with consecutive seeds from --seed on.",
)  # fmt: skip
def fuzz(seconds: float, frames: int | None, lines: int | None, seed: int | None, processes: int) -> None:
    """Decode generated lines, many of them damaged, in every way, and compare the results.

    The ways are: compiled code, a chunk as a whole, line by line, with other lines around it, and from a journal; and
    for accepted lines, the columns and the tuples that workers read. Half of the lines are read by mappings. The first disagreement ends the run, reduced to
    the few lines that show it.

    With --frames, malformed, oversized, partial and forged frames go to the three ports of a separate broker while
    records pass through it. It has to stay alive, below 200 MB, and accept each record once.
    """
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    if frames:
        _send_frames(frames, seed)
        return
    if processes > 1:
        _run_several(range(seed, seed + processes), seconds, lines)
        return
    click.echo(f"seed {seed}")
    show = _progress(seed)
    done = compare(seed, seconds, lines or 0, lambda done: show(done.lines, "lines"))
    click.echo(
        f"seed {seed}: {done.lines:,} lines, {done.accepted:,} accepted, {int(done.found is not None)} disagreements"
    )
    if done.found is not None:
        shown = "\n".join(map(repr, done.found.lines))
        raise AnalyticsError(
            f"two decoders disagree about\n{shown}\n{done.found.what}\nRepeat with --seed {seed}"
        )


def _progress(seed: int) -> Callable[[int, str], None]:
    """Return what prints now and then how much was done so far."""
    begun, is_time = time.monotonic(), pace(PROGRESS_SECONDS)

    def show(count: int, what: str) -> None:
        if is_time():
            rate = count / max(time.monotonic() - begun, 1e-9)
            click.echo(f"seed {seed}: {count:,} {what} so far, {rate:,.0f}/s", err=True)

    return show


def _send_frames(frames: int, seed: int) -> None:
    """Start a broker without keys, and send it ``frames`` frames."""
    show = _progress(seed)
    with tempfile.TemporaryDirectory(prefix="analytics-fuzz-") as folder:
        file = Path(folder) / "analytics.toml"
        file.write_text(f'data = "data"\n{on_ports(*free_ports(4))}let_anyone_in = true\n{games()}')
        with Suite(file, [["broker"]]) as suite:
            done = storm(
                suite.config.broker, suite.pid("broker"), frames, seed,
                lambda done: show(done.frames, f"frames ({done.peak_mb} MB, {done.records:,} records)"),
            )  # fmt: skip
    click.echo(
        f"seed {seed}: {done.frames:,} frames over {done.connections:,} connections; the broker took all "
        f"{done.records:,} records once, and {done.peak_mb} MB at most"
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
