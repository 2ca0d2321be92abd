"""``analytics state``: checks the files that record progress, and repairs them."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import click

from analytics import sealed
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.system import files

_SPARE = {
    "state/gamelog.json": "all logs are read again, and repeats are dropped",
    "state/payment.json": "all open days are asked for and published again, which changes no number",
    "state/syncuser.json": "all roles are asked for again, and repeats are dropped",
    "state/payment.sqlite": "the payers of open days are read from the journals again",
    "state/orders.sqlite": "orders are taken as answers name them now, even if their amounts have changed; one that has moved away "
    "from a settled day counts on both",
    "state/rejected.sqlite": "with an engine, rejected records of sources are counted from then on",
    "state/syncuser.sqlite": "all roles are asked for again, and repeats are dropped",
    "state/stdin.json": "logs that were piped in may count again if they are piped in once more",
    "state/rebuild.json": "call `bin/analytics rebuild` without --bolt afterwards",
    "queue/bolts.json": "segments wait until all bolts have reported again",
}
"""Files that the suite can work without, and the consequences."""
_NEEDED = {
    "filter/snapshot.json": "without it repeated records would count again: restore data/filter from a backup, or count "
    "everything from the journals as docs/how-to/correct-documents.md says under Counting again",
    "filter/quiet.sqlite": "without it old records would count again if they were repeated: restore data/filter from a backup",
    "forgotten.json": "restore it from a backup: without it, records come under accts that were forgotten",
    "state/streams.sqlite": "restore it from a backup: without it, an old log that is read again counts again unless it is the "
    "only one with its first records",
}
_NOT_NOW = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
"""Errors that do not mean damage: another process writes, or has to roll back what a killed one began."""


@click.command()
@click.option("--repair", is_flag=True, help="Move damaged files away that the suite can work without.")
@click.pass_obj
def state(config: Config, repair: bool) -> None:
    """Check the files in the data folder that record progress.

    Most have a checksum and a previous generation: a node that finds the newest damaged continues with the previous one.
    SQLite checks its own files. Stop the suite before you repair. The exit status is 1 if a file stays damaged.
    """
    left = 0
    for name, then in {**_SPARE, **_NEEDED}.items():
        path = config.data / name
        if not (why := _damage(path)):
            continue
        before = sealed.older(path)
        if before.exists() and not sealed.damage(before):
            click.echo(f"{path}: {why}; its node continues with the previous generation, {before.name}")
        elif repair and name in _SPARE:
            _move_away(path)
            click.echo(f"{path}: {why}; moved away: {then}")
        else:
            click.echo(f"{path}: {why}; {then}")
            left += 1
    if left:
        raise AnalyticsError(
            f"{config.data}: {left} state files are damaged; --repair moves those away that the suite can work without"
        )
    click.echo("The state files are in order.")


def _damage(path: Path) -> str:
    """Return the damage of a file, "" if it is intact or missing."""
    if path.suffix != ".sqlite":
        return sealed.damage(path)
    if not path.exists():
        return ""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF not in _NOT_NOW:
            return str(error)
        click.echo(f"{path} was not checked: {error}. Call this again when the suite has been started")
        return ""
    return "" if found == "ok" else " ".join(found.split())


def _move_away(path: Path) -> None:
    """Move a file away, with its previous generation, which is damaged as well, or SQLite's files beside it."""
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]
    for one in (path, sealed.older(path), *beside):
        if one.exists():
            one.replace(one.with_name(f"{one.name}.damaged-{time.time():.0f}"))
    files.sync_folder(path.parent)
