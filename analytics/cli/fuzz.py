"""``analytics fuzz``: whether every road that a line can take says the same of it."""

import random
import sys

import click

from analytics.errors import AnalyticsError
from analytics.testing.fuzz import Fuzzed
from analytics.testing.fuzz import fuzz as compare


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long to compare.")
@click.option("--lines", type=click.IntRange(min=1), help="End after so many lines.")
@click.option("--seed", type=int, help="Which lines; default: drawn, and printed.")
def fuzz(seconds: float, lines: int | None, seed: int | None) -> None:
    """Take generated lines, many of them damaged, over every road, and compare.

    The roads are: compiled code, decoding a chunk as a whole, reading it line by line, with other lines around it, and
    from a journal; and for what is accepted, the columns and the tuples that workers read. The first disagreement ends
    the run, cut down to the few lines that show it.
    """
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    click.echo(f"seed {seed}")
    done = compare(seed, seconds, lines or 0, _progress)
    click.echo(
        f"{done.lines:,} lines, {done.accepted:,} accepted, {int(done.found is not None)} disagreements"
    )
    if done.found is not None:
        shown = "\n".join(map(repr, done.found.lines))
        raise AnalyticsError(
            f"two roads disagree about\n{shown}\n{done.found.what}\nRepeat with --seed {seed}"
        )


def _progress(done: Fuzzed) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done.lines:,} lines", nl=False, err=True)
