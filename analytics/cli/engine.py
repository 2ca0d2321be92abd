"""``analytics engine``: hands over between broker and workers, and the engine."""

from collections.abc import Callable

import click

from analytics.config import Config
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.service import control
from analytics.store import Store, open_store

Handover = Callable[[Config, Store, Callable[[str], None]], None]


@click.group()
def engine() -> None:
    """Hand over what is counted to the engine of [engine], or back to broker and workers."""


@engine.command()
@click.pass_obj
def adopt(config: Config) -> None:
    """Hand over to the engine: stop the suite once all is counted, and take over what the broker has accepted.

    Set [engine] first, then call this on the broker's host. Afterwards, `bin/analytics start` starts the suite with the engine. If it
    refuses or is interrupted, nothing is lost: correct what it says, and call it again.
    """
    from analytics.engine.adopt import adopt

    if not config.engine.kind:
        raise AnalyticsError(
            f'engine.kind: expected "local" or "spark" in {config.file}, found none; set [engine] first'
        )
    _hand_over(config, adopt)
    click.echo("`bin/analytics start` starts the suite with the engine now")


@engine.command()
@click.pass_obj
def release(config: Config) -> None:
    """Hand over to broker and workers: stop the suite once all is counted, and give the broker what the engine has counted.

    Call this on the host that the broker is to run on, before you remove engine.kind from the configuration. Afterwards,
    `bin/analytics start` starts the suite with broker and workers. If it refuses or is interrupted, nothing is lost: correct what it
    says, and call it again.
    """
    from analytics.engine.adopt import release

    if not config.engine.kind:
        raise AnalyticsError(
            f"engine.kind: expected the engine that counts in {config.file}, found none; leave it until this is done"
        )
    _hand_over(config, release)
    click.echo(
        "remove engine.kind from the configuration; then `bin/analytics start` starts the suite with broker and workers"
    )


def _hand_over(config: Config, handover: Handover) -> None:
    """Stop what counts, hand over, and stop the rest."""
    control.stop_counting(config, click.echo)
    store = open_store(config)
    try:
        handover(config, store, click.echo)
    except Unavailable as error:
        raise Unavailable(
            f"{error}. The store has to run: `bin/analytics run store` beside this runs the embedded one. Then call this again"
        ) from error
    finally:
        store.close()
    control.stop(config, click.echo, wait=False)
