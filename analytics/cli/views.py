"""``analytics views``: flat views beside the collections, for BI tools."""

from contextlib import closing

import click

from analytics.cli.export import database_of
from analytics.config import Config, catalogue
from analytics.export.views import create_views, drop_views
from analytics.runtime.directory import write_directory
from analytics.store import open_store


@click.command()
@click.option("--drop", is_flag=True, help="Remove the views instead.")
@click.pass_obj
def views(config: Config, drop: bool) -> None:
    """Create the views bi_… in MongoDB, and the collections areas and games that they look zones up in.

    Call it again after an upgrade. A view stores nothing; reading it needs the right to find on it alone. Creating views
    needs the rights to createCollection and dropCollection, which the role readWrite has.
    """
    with closing(open_store(config)) as store:
        database = database_of(store)
        if not drop:
            write_directory(config, store)
        bolts = catalogue(config)
        names = list(drop_views(database, bolts) if drop else create_views(database, bolts))
    done = "removed" if drop else "created or replaced"
    click.echo(
        f"{done} {', '.join(names)}"
        if names
        else f"the views {'are gone' if drop else 'are as they should be'}"
    )
