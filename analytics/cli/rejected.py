"""``analytics rejected``: lists the records that could not be used, or puts them in again."""

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analytics.config import Config
from analytics.spouts.rejected import Reject, counts, kind_of, waiting

_SAMPLE = 120


@click.command()
@click.option("--replay", "again", is_flag=True, help="Put them in again, after what was wrong was mended.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for the broker.")
@click.pass_obj
def rejected(config: Config, again: bool, timeout: float) -> None:
    """List the records that could not be used, by reason and source, or put them in again."""
    if again:
        _replay(config, timeout)
    else:
        _list(list(waiting(config.data).values()))


def _replay(config: Config, timeout: float) -> None:
    from analytics.spouts.replay import replay

    outcome = replay(config, timeout)
    click.echo(
        f"accepted {outcome.accepted}, accepted before {outcome.repeated}, still rejected {outcome.rejected}"
    )
    if outcome.payments:
        click.echo(
            f"{outcome.payments} payments stay listed: mend the interface's answers; it is asked again by itself "
            "until the day is settled",
            err=True,
        )
    if outcome.roles:
        click.echo(
            f"{outcome.roles} roles stay listed: mend the interface's answers; it is asked again by itself, for all "
            "roles within syncuser.full_every_seconds",
            err=True,
        )
    if outcome.workers:
        click.echo(
            f"{outcome.workers} put aside by workers stay listed: they were accepted, but bolts could not use them. "
            "After mending, count everything again: pipe the journals in with a new data folder and a new database",
            err=True,
        )


def _list(found: list[Reject]) -> None:
    newest = {(kind_of(one.reason), one.source): one for one in found}
    table = Table("count", "reason", "source", "newest")
    for (kind, source), count in counts(found).most_common():
        sample = newest[kind, source]
        raw = sample.original()[:_SAMPLE].decode(errors="backslashreplace")
        table.add_row(
            str(count), Text(sample.reason if count == 1 else kind), Text(source), Text(f"{sample.n}: {raw}")
        )
    if found:
        Console().print(table)
    click.echo(
        f"{len(found)} rejected"
        + (": mend the cause, then `bin/analytics rejected --replay`" if found else "")
    )
