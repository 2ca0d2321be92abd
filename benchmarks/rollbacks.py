"""Whether every document is exact after rollbacks of a replica set, each provoked in another way."""

from gevent import monkey

monkey.patch_all()

import random  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import click  # noqa: E402

from benchmarks.rollbacks_of_a_set import RollbackTest, drawn_ways  # noqa: E402


@click.command()
@click.option("--rounds", default=20, show_default=True, help="How many rollbacks to provoke.")
@click.option(
    "--seed", type=int, help="What is fed and how rollbacks are provoked; default: drawn, and printed."
)
@click.option("--keep", is_flag=True, help="Keep the folder: the members' logs, the suite's data and logs.")
def main(rounds: int, seed: int | None, keep: bool) -> None:
    """Run a suite on three members and provoke rollbacks: the primary is cut off, takes writes, and is replaced.

    Meanwhile clients' connections are reset, and servers killed or frozen. After each round every document is compared
    with the reference runner's. The exit status is 1, and no further round begins, where one differs.
    """
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="rollbacks-"))
    click.echo(f"seed {seed}, folder {folder}")
    began = time.monotonic()
    ways = drawn_ways(seed, rounds)
    outcome = RollbackTest(folder, seed, lambda text: click.echo(f"  {text}")).run(ways)
    means = ", ".join(f"{name} {count}" for name, count in sorted(outcome.by_means.items()))
    ended = ", ".join(f"{name} {count}" for name, count in sorted(outcome.ended.items()))
    click.echo(
        f"{outcome.rounds} rounds in {time.monotonic() - began:.0f} s, {outcome.lines:,} lines; {outcome.rollbacks} "
        f"rollbacks ({means}) took back {outcome.taken_back} operations; ended unexpectedly: {ended or 'none'}"
    )
    click.echo(f"{len(outcome.wrong)} of {outcome.documents} documents differ")
    if outcome.wrong:
        click.echo("\n".join(text for texts in outcome.wrong for text in texts[:1]), err=True)
        click.echo(f"repeat with --seed {seed}; look into {folder}", err=True)
        sys.exit(1)
    if not keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
