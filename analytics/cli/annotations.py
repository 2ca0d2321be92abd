"""``analytics annotations``: lists, adds and removes annotations."""

import time
from contextlib import closing
from datetime import date, datetime

import click
from rich.table import Table

from analytics.cli.choosing import DAY
from analytics.cli.console import UNCUT, console, text
from analytics.config import Config, areas
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.store import open_store
from analytics.web.entries.annotations import KINDS, Annotation, new_annotation, of_days
from analytics.web.entries.collection import Entries
from analytics.web.filters import FIRST_DAY, LAST_DAY
from analytics.web.place import date_of


@click.group()
def annotations() -> None:
    """List, add or remove annotations, which the charts of the dashboard show."""


@annotations.command("list")
@click.option("--game", default="", help="Only this game. [default: all]")
@click.option("--from", "since", type=DAY, help="Only this day or later.")
@click.option("--to", "until", type=DAY, help="… this day or earlier.")
@click.pass_obj
def listed(config: Config, game: str, since: datetime | None, until: datetime | None) -> None:
    """List annotations with the ids that `remove` takes."""
    first = since.date() if since else FIRST_DAY
    last = until.date() if until else LAST_DAY
    table = Table("day", "time", "game", "of", "kind", "text", "by", "id")
    with closing(open_store(config)) as store:
        for name in (game,) if game else config.games:
            of_game = {id: area for id, area in areas(config).items() if area.game == name}
            for one in of_days(store, name, of_game, first, last):
                place = one.area or one.plat
                cells = (one.day, one.time, one.game, place, one.kind, one.text, one.by, one.id)
                table.add_row(*map(text, cells))
    console(UNCUT).print(table)


@annotations.command()
@click.argument("text")
@click.option("--game", default="", help="The game. [default: that of the area, else the first]")
@click.option("--plat", default="", help="Only areas of this plat.")
@click.option("--area", default="", metavar="ID", help="Only this area.")
@click.option("--day", default="", metavar="YYYY-MM-DD", help="The day. [default: the game's present day]")
@click.option("--time", "at", default="", metavar="HH:MM", help="The time of day. [default: the whole day]")
@click.option("--kind", type=click.Choice(list(KINDS)), default="other", help="What kind of thing happened.")
@click.pass_obj
def add(config: Config, /, text: str, at: str, **given: str) -> None:
    """Annotate a day with TEXT, and print the annotation's id."""
    now = time.time()

    def today(game: str) -> date:
        return date_of(zone(config.games[game].timezone or config.timezone), int(now))

    chosen = {name: value for name, value in ({"text": text, "time": at} | given).items() if value}
    entry = new_annotation(chosen, areas(config), today, "", now)
    with closing(open_store(config)) as store:
        Entries(store, Annotation).add(entry)
    click.echo(entry.id)


@annotations.command()
@click.argument("id")
@click.pass_obj
def remove(config: Config, id: str) -> None:
    """Remove the annotation ID."""
    with closing(open_store(config)) as store:
        if not Entries(store, Annotation).remove(id):
            raise AnalyticsError(f"expected the id of an annotation, got {id}; `annotations list` has them")
