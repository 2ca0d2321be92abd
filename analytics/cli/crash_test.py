"""``analytics crash-test``: kills a suite's processes at random, and checks every number."""

import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import click

from analytics.errors import AnalyticsError
from analytics.testing.broken_engine import ENGINES, EngineKind
from analytics.testing.broken_store import EMBEDDED, STORES
from analytics.testing.crash import CrashTest


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long to feed and kill.")
@click.option("--seed", type=int, help="Seed of the records and kills. [default: random, and printed]")
@click.option("--rate", default=2_000, show_default=True, help="Lines a second over all sources.")
@click.option("--pause", default=5.0, show_default=True, help="Seconds between two kills, on average.")
@click.option(
    "--store",
    type=click.Choice(STORES),
    default=EMBEDDED,
    show_default=True,
    help="The database: the suite's node `store`, or one or three mongod of the test, which are broken as well.",
)
@click.option("--service", is_flag=True, help="Run the suite as `start` does, and kill its supervisor, too.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=None,
    help="Have an engine count instead of broker and workers, and break its cluster as well.",
)
@click.option("--keep", is_flag=True, help="Keep the folder: the suite's data and the processes' logs.")
def crash_test(
    seconds: float,
    seed: int | None,
    rate: int,
    pause: float,
    store: str,
    service: bool,
    engine: EngineKind | None,
    keep: bool,
) -> None:
    """Run a separate suite on free ports, kill its processes at random while records flow in, and compare.

    With --store mongod the server is killed and frozen, too; with --store replica-set its members are killed, frozen,
    stepped down and cut off, one by one or all at once, and may roll back. With --engine spark a cluster is started on
    this machine; its executors are killed and frozen, its workers and master killed, and tasks are run twice. Some records are repeated or invalid.
    Every document must equal that of the reference runner, and the balance must add up. If not, the folder is kept.
    """
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="crash-test-"))
    click.echo(f"seed {seed}, folder {folder}")
    test = CrashTest(
        folder, seed, rate, pause, lambda text: click.echo(f"  {text}"), store, service, engine or ""
    )
    result = test.run(seconds)
    click.echo(f"{result.lines:,} lines, {result.replays} replays, {_counts('kills', result.kills)}")
    click.echo(f"{result.unheard} lines sent over TCP to a spout that died before it had journaled them")
    if store != EMBEDDED:
        click.echo(f"{_counts('disturbances of the store', result.events)}, {result.rollbacks} rollbacks")
    if result.engine_events:
        click.echo(_counts("disturbances of the cluster", result.engine_events))
        click.echo(f"{result.games} times the cluster was asked to compute a game's timer bolts")
    click.echo(_counts("processes ended without a kill", result.ended))
    if result.differences:
        raise AnalyticsError(
            "\n".join([*result.differences, f"repeat with --seed {seed}; look into {folder}"])
        )
    click.echo("every document equals the reference, and the balance adds up")
    if not keep:
        shutil.rmtree(folder)


def _counts(what: str, counts: Counter[str]) -> str:
    """Return a total and its parts: ``3 kills (broker 2, workers 1)``."""
    parts = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{counts.total()} {what}" + (f" ({parts})" if parts else "")
