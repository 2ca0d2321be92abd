"""``analytics export``: journals and documents as Parquet files, for other tools."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import msgspec
from pymongo.database import Database

from analytics.cli.console import user_of_machine
from analytics.config import Config, catalogue
from analytics.errors import AnalyticsError, ConfigError
from analytics.export.documents import export_documents
from analytics.export.duck import MEMORY_MB, connect
from analytics.export.journals import Exported, export_journals
from analytics.export.query import step_back
from analytics.export.target import Target
from analytics.store import Document, MongoStore, Store, open_store
from analytics.web.entries.audit import AuditLog

EVERYTHING = ("documents", "journals")


@click.command()
@click.argument("target", required=False)
@click.option(
    "--acct", metavar="ACCT", help="Print all that is known of this acct as lines of JSON, instead."
)
@click.option("--only", type=click.Choice(EVERYTHING), help="Only these. [default: both]")
@click.option(
    "--memory", type=click.IntRange(min=64), default=MEMORY_MB, show_default=True, help="MB for DuckDB."
)
@click.option("--threads", type=click.IntRange(min=0), default=0, help="0: one for each processor.")
@click.pass_obj
def export(
    config: Config, target: str | None, acct: str | None, only: str | None, memory: int, threads: int
) -> None:
    """Write journals and documents as Parquet files to TARGET: a folder, or a URL like s3://bucket/folder.

    Call it again, as often as you like, to add what is new; also after it was interrupted. It only reads from the suite,
    which may run meanwhile, and notes in the audit log who exports. Needs the extra `export`, and for s3:// the package s3fs.

    With --acct, and without TARGET, print what journals, rejected records and documents have of one acct; that needs no extra.
    """
    if (target is None) == (acct is None):
        raise click.UsageError("expected either TARGET or --acct ACCT")
    if acct is not None:
        _export_acct(config, acct)
        return
    assert target is not None
    if "/" not in target and not Path(target).exists():
        click.echo(
            f"{target}: a new folder here. For what is known of an acct, call export --acct ACCT", err=True
        )
    step_back()
    _audit(config, target, only)
    counts: Counter[str] = Counter()
    skipped = 0
    with closing(Target(target)) as goal:
        for what in (only,) if only else EVERYTHING:
            for one in _exported(config, goal, what, memory, threads):
                if one.skipped:
                    skipped += 1
                    click.echo(f"{one.name} was left as it is: {one.skipped}", err=True)
                else:
                    click.echo(f"{one.name}: {one.rows:,} rows")
                    counts[what] += 1
    done = " and ".join(f"{count:,} files of {what}" for what, count in counts.items())
    click.echo(f"wrote {done} to {target}" if done else f"{target} is up to date")
    if skipped:
        raise AnalyticsError(f"{skipped} days of journals were not exported again; the reasons are above")


def _export_acct(config: Config, acct: str) -> None:
    """Print a line of JSON for each record and document that names an acct."""
    from analytics.forget.known import is_forgotten, known_of

    if is_forgotten(config, acct):
        raise AnalyticsError("the acct was forgotten: nothing is kept under this name")
    _audit(config, "one acct", None)
    encode, found = msgspec.json.Encoder(enc_hook=str).encode, 0
    with closing(open_store(config)) as store:
        for one in known_of(config, store, acct):
            click.echo(encode(one))
            found += 1
    click.echo(f"found {found:,} records and documents with the acct", err=True)


def _audit(config: Config, target: str, only: str | None) -> None:
    """Note the export in the audit log. Journals can be exported without a store, too."""
    try:
        with closing(open_store(config)) as store:
            log = AuditLog(store, config.dashboard.audit_days)
            log.note(time.time(), user_of_machine(), "export", target, only or "")
    except AnalyticsError as error:
        click.echo(f"the audit log does not have this export: {error}", err=True)


def _exported(config: Config, goal: Target, what: str, memory: int, threads: int) -> Iterator[Exported]:
    with (
        tempfile.TemporaryDirectory(dir=goal.work) as spill,
        closing(connect(Path(spill), memory, threads)) as connection,
    ):
        if what == "journals":
            yield from export_journals(config, connection, goal)
            return
        with closing(open_store(config)) as store:
            yield from export_documents(database_of(store), connection, goal, catalogue(config))


def database_of(store: Store) -> Database[Document]:
    """Return the database behind a store. Raise ConfigError where it is none that keeps documents."""
    if not isinstance(store, MongoStore):
        raise ConfigError('mongodb.uri: expected "mongodb://…", "mongodb+srv://…" or "", got "counting:"')
    return store.database
