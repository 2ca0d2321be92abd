"""``analytics engine``: hands over between broker and workers, and the engine."""

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import click

from analytics.cli.choosing import choosing
from analytics.cli.rebuild import wanted_documents, why_missing
from analytics.config import Config
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.service import control
from analytics.store import Store, open_store

if TYPE_CHECKING:
    from analytics.engine.backfill import BackfillResult

Handover = Callable[[Config, Store, Callable[[str], None]], None]


@click.group()
def engine() -> None:
    """Hand over what is counted to the engine of [engine], or back; derive its documents again."""


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


@engine.command()
@choosing("Only this bolt's documents; may be given several times.")
@click.option(
    "--remove-many",
    is_flag=True,
    help="Remove documents that no record supports, even if they are more than a tenth of a bolt's.",
)
@click.pass_obj
def backfill(
    config: Config,
    names: tuple[str, ...],
    area: str,
    since: datetime | None,
    until: datetime | None,
    remove_many: bool,
) -> None:
    """Derive documents again from the journals, and write those that are missing or differ: of a new bolt, for example.

    Batches wait meanwhile, spouts do not. Journals may be gzipped. Documents that no record supports are removed, unless days are given.
    Those whose records are not all in the journals any more stay as they are: then the exit status is 1. If it is interrupted, call it
    again.
    """
    from analytics.engine.backfill import Backfill
    from analytics.engine.driving import open_engine
    from analytics.runtime.rate_notes import RateNotes
    from analytics.spouts.ends import shared_folder

    if not config.engine.kind:
        raise AnalyticsError(
            f"engine.kind: expected the engine that counts in {config.file}, found none; where broker and workers count, "
            "call `bin/analytics rebuild`"
        )
    wanted = wanted_documents(
        config, names, area, since.date() if since else None, until.date() if until else None
    )
    if timers := [name for name in wanted.timers if name in names]:
        raise AnalyticsError(
            f"--bolt: {', '.join(timers)} is computed by `bin/analytics timers`, which reads what this derives"
        )
    with closing(open_store(config)) as store:
        RateNotes(config, store).refuse_lost(wanted.bolts)
        result = Backfill(
            config,
            store,
            open_engine(config),
            shared_folder(config),
            replace(wanted, remove_many=remove_many),
            lambda text: click.echo(f"{text} …", err=True),
        ).run()
    sys.exit(_report(result))


def _report(result: "BackfillResult") -> int:
    """Say what a backfill did; return the exit status."""
    derived = result.derived
    total = derived.changed.total()
    click.echo(
        f"{result.lines:,} lines of {result.journals:,} journals, {derived.looked.total():,} documents: "
        + (f"{total:,} were corrected" if total else "nothing to correct")
    )
    for (name, what), count in sorted(derived.changed.items()):
        click.echo(f"  {name}: {count:,} {what}")
    for name, count in sorted(result.removed.items()):
        click.echo(f"  {name}: {count:,} removed, as no record supports them")
    for name, count in sorted(result.spared.items()):
        click.echo(
            f"{name}: no record supports {count:,} documents, which is many: do the journals and the database belong together? They were "
            "kept; --remove-many removes them",
            err=True,
        )
    if result.uncounted:
        click.echo(f"{result.uncounted:,} journaled records that no batch had counted {_what_became(result)}")
    if result.dated:
        click.echo(f"{result.dated:,} documents that no journal covers got their dates")
    for hole in result.gaps:
        click.echo(why_missing(hole, result.unmapped, "counted"), err=True)
    for name, count in sorted((+derived.left_out).items()):
        click.echo(f"{name}: {count:,} documents were left as they are, since records are missing", err=True)
    for name, count in sorted((+derived.refused).items()):
        click.echo(
            f"{name}: {count:,} documents could not be corrected, as others write them or `_v` was changed by hand: "
            "call this again",
            err=True,
        )
    return 1 if derived.left_out.total() or derived.refused.total() or result.spared else 0


def _what_became(result: "BackfillResult") -> str:
    if result.whole:
        return "count now"
    return "were left out; a backfill of all bolts, areas and days counts them"


def _hand_over(config: Config, handover: Handover) -> None:
    """Stop what counts, hand over, and stop the rest."""
    control.stop_counting(config, click.echo)
    try:
        with closing(open_store(config)) as store:
            handover(config, store, click.echo)
    except Unavailable as error:
        raise Unavailable(
            f"{error}. The store has to run: `bin/analytics run store` beside this runs the embedded one. Then call this again"
        ) from error
    control.stop(config, click.echo, wait=False)
