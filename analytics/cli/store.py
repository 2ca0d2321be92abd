"""``analytics store``: prints the database's address, and moves it between the embedded servers."""

from typing import get_args

import click

from analytics.cluster import LocalRegistry
from analytics.cluster.registry import alive
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.store import store_uri
from analytics.store.copying import Content
from analytics.store.embedded.choice import Name, open_engine
from analytics.store.embedded.move import direction, move

ENGINE = click.Choice(get_args(Name))


def refuse_running(config: Config) -> None:
    """Raise AnalyticsError where nodes of this data folder run."""
    nodes = LocalRegistry(config.data).list()
    if running := [f"{node.name} (process {node.pid})" for node in nodes if alive(node)]:
        raise AnalyticsError(
            f"nodes of this data folder run: {', '.join(running)}. Stop them first: bin/analytics stop"
        )


@click.group()
def store() -> None:
    """Print the database's address, or move it between the servers that the node `store` can run."""


@store.command()
@click.pass_obj
def address(config: Config) -> None:
    """Print the database's URI for any MongoDB client, with the password."""
    click.echo(store_uri(config))


@store.command("move")
@click.option(
    "--from", "source", type=ENGINE, help="The source. [default: the server that has the documents]"
)
@click.option("--to", "target", type=ENGINE, help="The target. [default: the other server]")
@click.option("--overwrite", is_flag=True, help="Replace the documents that the target has.")
@click.pass_obj
def move_command(config: Config, source: Name | None, target: Name | None, overwrite: bool) -> None:
    """Move all documents and positions of the embedded store from one server to the other.

    Stop the suite first. Every collection is copied, read back and compared; only then does the suite use the copy, from
    its next start. The source stays unchanged. An interrupted move starts over.
    """
    refuse_running(config)
    source, target = direction(config, source, target)
    old, new = open_engine(source, config), open_engine(target, config)
    click.echo(f"moving from {old.describe()} in {old.database} to {new.describe()} in {new.database}")
    total = 0

    def report(done: str, content: Content) -> None:
        nonlocal total
        total += content.documents * (done == "compared")
        click.echo(f"{done} {content.name}: {content.documents:,} documents, {content.bytes:,} bytes")

    move(config, source, target, overwrite, report)
    click.echo(f"moved {total:,} documents; all were read back and are equal")
    if config.store.engine not in ("auto", target):
        click.echo(f'now set store.engine = "{target}" (or "auto") in {config.file}')
    click.echo(f"the suite uses {target} from its next start; then you may delete {old.database}")
