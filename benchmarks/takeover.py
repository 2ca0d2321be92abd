"""How long until another host's worker takes over when the active one is killed or frozen, and whether numbers are exact."""

from gevent import monkey

monkey.patch_all()

import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

import click  # noqa: E402

from benchmarks.takeover_of_hosts import TakeoverTest  # noqa: E402

MOST_SECONDS = 15.0


@click.command()
@click.option("--kills", default=10, show_default=True, help="How often the active worker gets kill -9.")
@click.option(
    "--stops", default=5, show_default=True, help="How often it gets SIGSTOP, and goes on afterwards."
)
@click.option("--rate", default=2_000, show_default=True, help="Lines a second meanwhile.")
@click.option("--api", type=click.Choice(["v3", "v2"]), default="v3", show_default=True, help="Of etcd.")
@click.option(
    "--members",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Of the etcd that is started for this; of several one is killed after the first takeover.",
)
@click.option(
    "--etcd-away",
    "away",
    default=0.0,
    metavar="SECONDS",
    help="Take etcd away for so long in the end, say 180; work has to go on.",
)
def main(kills: int, stops: int, rate: int, api: str, members: int, away: float) -> None:
    """Measure takeovers between two hosts that run all bolts, with the times that the configuration has by default.

    A takeover has ended when the other worker's first numbers are in their documents. The exit status is 1 if one took
    more than 15 s, or if any document differs from the reference runner's in the end.
    """
    folder = Path(tempfile.mkdtemp(prefix="takeover-"))
    outcome = TakeoverTest(folder, rate, f'api = "{api}"', members, lambda text: click.echo(f"  {text}")).run(
        kills, stops, away
    )
    click.echo(f"{outcome.lines:,} lines at {rate:,} a second, etcd {api} with {members} members")
    for what, took in (("kill -9", outcome.kills), ("SIGSTOP", outcome.stops)):
        if took:
            listed = ", ".join(f"{seconds:.1f}" for seconds in took)
            click.echo(f"{what}: {len(took)} takeovers, at most {max(took):.1f} s ({listed})")
    if away:
        click.echo(f"etcd away for {away:g} s: all nodes known again {outcome.back:.1f} s after its return")
    for difference in outcome.differences:
        click.echo(difference, err=True)
    if outcome.differences:
        click.echo(f"numbers are not exact; look into {folder}", err=True)
        sys.exit(1)
    click.echo("every document equals the reference: numbers are exact")
    shutil.rmtree(folder)
    sys.exit(max([*outcome.kills, *outcome.stops, 0.0]) > MOST_SECONDS)


if __name__ == "__main__":
    main()
