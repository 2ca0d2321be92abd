"""``analytics start``, ``stop``, ``restart`` and ``reload``: the whole suite in the background."""

import contextlib

import click

from analytics.config import Config
from analytics.runtime.service import control, detached, reloading


@click.command()
@click.pass_obj
def start(config: Config) -> None:
    """Start the whole suite in the background, and return when every node is up.

    A supervisor restarts nodes that end. If the suite runs already, nodes that had failed are started again. The exit
    status is 1 if a node does not start; the others run anyway.
    """
    control.start(config, click.echo)


@click.command()
@click.pass_obj
def stop(config: Config) -> None:
    """Stop the suite in order, and return when all of it has ended.

    First the spouts; when all accepted records are counted, or after service.drain_seconds, the broker, then the bolts,
    and last the store. If the suite is killed instead, nothing is lost.
    """
    control.stop(config, click.echo)


@click.command()
@click.option(detached.HERE, is_flag=True, hidden=True)
@click.pass_obj
def restart(config: Config, here: bool) -> None:
    """Stop the suite in order, if it runs, and start it with the current configuration.

    Once begun, it goes on if this command is interrupted or killed.
    """
    if here:
        control.restart(config, _say_if_heard)
    else:
        detached.restart(config, click.echo)


def _say_if_heard(text: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(text)


@click.command()
@click.pass_obj
def reload(config: Config) -> None:
    """Restart only those nodes that read what was changed in the configuration since the start, such as a new area.

    They are restarted one after the other, and nothing is lost. A configuration with a fault is refused, and changes nothing.
    """
    reloading.reload(config, click.echo)
