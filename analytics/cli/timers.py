"""``analytics timers``: computes timer bolts on demand."""

import time
from contextlib import closing
from datetime import date

import click
from rich.table import Table

from analytics.broker.clients import Refill
from analytics.cli.choosing import DAY
from analytics.cli.console import console, right
from analytics.config import Config, catalogue
from analytics.errors import AnalyticsError
from analytics.runtime.outdated import refuse_outdated
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.collections import collections_of, written
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import publisher
from analytics.store import open_store
from analytics.timers import NAMES

BROKER_SECONDS = 5.0  # for the broker's answer


@click.command()
@click.option(
    "--timer",
    "names",
    multiple=True,
    type=click.Choice(NAMES),
    help="Only this one; may be given several times.",
)
@click.option("--area", default="", metavar="ID", help="Only this area, without totals.")
@click.option("--game", default="", metavar="NAME", help="Only this game: its areas and totals.")
@click.option("--from", "since", type=DAY, help="Only days, weeks and months that begin on it or later.")
@click.option("--to", "until", type=DAY, help="… that begin on it or earlier.")
@click.pass_obj
def timers(
    config: Config, names: tuple[str, ...], area: str, game: str, since: date | None, until: date | None
) -> None:
    """Compute documents of timer bolts again, and remove those that no stored data supports.

    The node `timers` does this automatically after changes. Use this command for documents that were deleted or changed
    by hand. It works while the node runs.
    """
    _check(config, area, game)
    first, last = (day.toordinal() if day else None for day in (since, until))
    wanted = Wanted(names or NAMES, area, game, first, last)
    _ask_the_broker(config)
    refuse_outdated(config)
    with closing(open_store(config)) as store, closing(publisher(config, "timers-by-hand")) as outgoing:
        done = by_hand(config, store, outgoing, wanted, time.time)
    table = Table("collection", *right("computed", "changed", "removed"))
    for name in wanted.timers:
        for collection in collections_of(name, catalogue(config)):
            counts = (done.computed, done.changed, done.removed)
            table.add_row(collection, *(f"{some[collection]:,}" for some in counts))
    console().print(table)
    for name, count in (done.spared + done.kept).items():
        click.echo(
            f"{count:,} documents of {name} were kept, although no stored data supports them: see "
            f"`bin/analytics rebuild --bolt {written(catalogue(config))[name]} --dry-run`",
            err=True,
        )


def _check(config: Config, area: str, game: str) -> None:
    """Raise AnalyticsError for unknown names."""
    if game and game not in config.games:
        raise AnalyticsError(
            f'there is no game "{game}". There are: {", ".join(sorted(config.games)) or "none"}'
        )
    if area and not any(area in of.areas for of in config.games.values()):
        raise AnalyticsError(f'there is no area "{area}" in {config.file}')
    if area and game and area not in config.games[game].areas:
        raise AnalyticsError(f'the area "{area}" is not one of the game "{game}"')


def _ask_the_broker(config: Config) -> None:
    """Raise Unavailable if the broker does not answer: changed documents are published, unless an engine counts."""
    if config.engine.kind:
        return
    with closing(Refill(config.broker, BROKER_SECONDS)) as refill:
        refill.state()
