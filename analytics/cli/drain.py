"""``analytics drain``: returns when everything is counted."""

from functools import partial

import click

from analytics.config import Config
from analytics.runtime.draining import drain as wait


@click.command()
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=600.0, show_default=True, help="Seconds to wait."
)
@click.pass_obj
def drain(config: Config, timeout: float) -> None:
    """Return when every record accepted before the call is in its documents.

    The exit status is 1 after --timeout; the missing records are reported. While the broker is away, it is waited for.
    """
    wait(config, timeout, say=partial(click.echo, err=True))
