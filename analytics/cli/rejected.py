"""``analytics rejected``: lists rejected records, puts them in again, or dismisses them."""

import click
from rich.table import Table

from analytics.cli.console import UNCUT, console, text
from analytics.config import Config
from analytics.config.uris import without_secrets
from analytics.errors import AnalyticsError
from analytics.runtime.outdated import refuse_outdated
from analytics.spouts.rejected import Reject, dismissed, dismissed_now, joint_reason, keep, kind_of, waiting

_SAMPLE = 120  # characters of a record in the list


@click.command()
@click.option(
    "--replay", "again", is_flag=True, help="Put them in again, after you have corrected the cause."
)
@click.option(
    "--dismiss",
    "why",
    metavar="WHY",
    help="Remove them from the list for good, with this explanation; they are not counted.",
)
@click.option("--dismissed", "gone", is_flag=True, help="List dismissed records with their explanations.")
@click.option("--source", default="", metavar="S", help="Only those of this source, as the list shows it.")
@click.option("--reason", default="", metavar="TEXT", help="Only those whose reason contains this text.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for the broker.")
@click.pass_obj
def rejected(
    config: Config, again: bool, why: str | None, gone: bool, source: str, reason: str, timeout: float
) -> None:
    """List rejected records by reason and source, put them in again, or dismiss those that can never be used.

    --source and --reason select records, except for --replay, which puts in all that are valid now.
    """
    if again:
        if why is not None or gone or source or reason:
            raise click.UsageError(
                "--replay can't be combined with --dismiss, --dismissed, --source and --reason"
            )
        _replay(config, timeout)
        return
    found = [
        one
        for one in (dismissed if gone else waiting)(config.data).values()
        if source in ("", one.source) and reason in one.reason
    ]
    if why is None:
        _list(config, found, gone)
    else:
        _dismiss(config, found, why, gone)


def _replay(config: Config, timeout: float) -> None:
    from analytics.engine.seen import counted_records
    from analytics.spouts.replay import replay

    # Records that old workers can't use would be accepted now, and rejected by them for good.
    refuse_outdated(config)
    outcome = replay(config, timeout, counted_records(config))
    click.echo(
        f"accepted {outcome.accepted}, accepted before {outcome.repeated}, still rejected {outcome.rejected}"
    )
    if outcome.payments:
        click.echo(
            f"{outcome.payments} payments stay listed: correct the interface's answers; it is asked again automatically "
            "until the day is settled",
            err=True,
        )
    if outcome.roles:
        click.echo(
            f"{outcome.roles} roles stay listed: correct the interface's answers; it is asked again automatically, for all "
            "roles within syncuser.full_every_seconds",
            err=True,
        )
    if outcome.workers:
        who, then = "workers or a rebuild", "rebuild`, which counts them and takes them off this list"
        if config.engine.kind:
            who = "the engine"
            then = "engine backfill`, which counts them, and take them off this list with --dismiss"
        click.echo(
            f"{outcome.workers} rejected by {who} stay listed: they were accepted, but bolts could not use them. They are in "
            f"the journals: correct the cause, call `bin/analytics reload`, then `bin/analytics {then}",
            err=True,
        )


def _dismiss(config: Config, found: list[Reject], why: str, gone: bool) -> None:
    if not why.strip():
        raise AnalyticsError("--dismiss: expected an explanation, got nothing")
    if gone:
        raise click.UsageError("--dismiss and --dismissed can't be combined")
    keep(config, dismissed_now(found, why))
    click.echo(f"{len(found)} dismissed. `bin/analytics rejected --dismissed` lists them")


def _list(config: Config, found: list[Reject], gone: bool) -> None:
    groups: dict[tuple[str, str, str], list[Reject]] = {}
    for one in found:
        groups.setdefault(_group(one), []).append(one)
    table = Table("count", "reason", *(["dismissed"] if gone else []))
    table.add_column("source", overflow="fold")
    table.add_column("newest")
    for some in sorted(groups.values(), key=len, reverse=True):
        sample = some[-1]
        raw = sample.original()[:_SAMPLE].decode(errors="backslashreplace")
        place = sample.path or _place(config, sample.source)
        table.add_row(
            str(len(some)),
            text(joint_reason(one.reason for one in some)),
            *([text(sample.dismissed)] if gone else []),
            text(f"{sample.source}\n{place}" if place else sample.source),
            text(f"{sample.n}: {raw}"),
        )
    if found:
        console(UNCUT).print(table)
    if gone:
        click.echo(f"{len(found)} dismissed")
        return
    click.echo(
        f"{len(found)} rejected"
        + (
            ": correct the cause, then `bin/analytics rejected --replay`; or dismiss lines that are wrong themselves"
            if found
            else ""
        )
    )


def _group(one: Reject) -> tuple[str, str, str]:
    return kind_of(one.reason), one.source, one.dismissed


def _place(config: Config, source: str) -> str:
    """Return the path, address or URL of a source; "" if the configuration lacks it."""
    spout, _, rest = source.partition("/")
    if spout == "gamelog":
        name = rest.rpartition("@")[0]
        return next(
            (
                one.path or without_secrets(one.url) or f"{one.host}:{one.port}"
                for one in config.gamelog.sources
                if one.name == name
            ),
            "",
        )
    interfaces = {"payment": config.payment.url, "syncuser": config.syncuser.url}
    return without_secrets(interfaces.get(spout, ""))
