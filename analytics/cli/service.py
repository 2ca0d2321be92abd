"""``analytics start``, ``stop`` and ``restart``: the whole suite in the background."""

import click

from analytics.config import Config
from analytics.runtime.service import control


@click.command()
@click.pass_obj
def start(config: Config) -> None:
    """Start the whole suite in the background, and return when every node is up.

    A supervisor keeps the nodes running and starts one that ended again. Where the suite runs already, nodes that had
    failed are started again. The exit status is 1 if a node does not come up; the others run all the same.
    """
    control.start(config, click.echo)


@click.command()
@click.pass_obj
def stop(config: Config) -> None:
    """Stop the suite in order, and return when all of it has ended.

    First the spouts; when what was accepted is counted, or after service.drain_seconds, the broker, then the bolts,
    and at last the store. Nothing is lost where it is killed instead.
    """
    control.stop(config, click.echo)


@click.command()
@click.pass_obj
def restart(config: Config) -> None:
    """Stop the suite in order, if it runs, and start it again with the configuration as it is now."""
    control.restart(config, click.echo)
