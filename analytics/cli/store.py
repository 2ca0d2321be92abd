"""``analytics store``: the address of the documents, and moving them between the embedded servers."""

from typing import get_args

import click

from analytics.cluster import LocalRegistry
from analytics.cluster.registry import alive
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.store import store_uri
from analytics.store.embedded.choice import Name, open_engine
from analytics.store.embedded.move import Content, direction, move

ENGINE = click.Choice(get_args(Name))


@click.group()
def store() -> None:
    """Find the documents, and move them between the servers that the node `store` can run."""


@store.command()
@click.pass_obj
def address(config: Config) -> None:
    """Print the MongoDB address of the documents, with the password in it, as any client takes it."""
    click.echo(store_uri(config))


@store.command("move")
@click.option("--from", "source", type=ENGINE, help="Where the documents are. [default: where they are]")
@click.option("--to", "target", type=ENGINE, help="Where they go. [default: the other]")
@click.option("--overwrite", is_flag=True, help="Replace the documents that the target has.")
@click.pass_obj
def move_command(config: Config, source: Name | None, target: Name | None, overwrite: bool) -> None:
    """Move all documents and positions of the embedded store from one server to the other.

    Stop the suite first. Every collection is copied, read back and compared; only then the suite uses the copy, from its
    next start. The source is left as it is. A move that was interrupted starts again from the beginning.
    """
    running = [
        f"{node.name} (process {node.pid})" for node in LocalRegistry(config.data).list() if alive(node)
    ]
    if running:
        raise AnalyticsError(
            f"nodes of this data folder run: {', '.join(running)}. Stop them first: bin/analytics stop"
        )
    source, target = direction(config, source, target)
    old, new = open_engine(source, config), open_engine(target, config)
    click.echo(f"moving from {old.describe()} in {old.database} to {new.describe()} in {new.database}")
    total = 0

    def report(done: str, content: Content) -> None:
        nonlocal total
        total += content.documents * (done == "compared")
        click.echo(f"{done} {content.name}: {content.documents:,} documents, {content.bytes:,} bytes")

    move(config, source, target, overwrite, report)
    click.echo(f"moved {total:,} documents; all of them were read back and are the same")
    if config.store.engine not in ("auto", target):
        click.echo(f'now set store.engine = "{target}" (or "auto") in {config.file}')
    click.echo(f"the suite uses {target} from its next start; then you may delete {old.database}")
