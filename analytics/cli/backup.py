"""``analytics backup`` and ``analytics restore``: database and data folder together, as of one moment."""

import time
from pathlib import Path

import click

from analytics.backup.restore import restore as put_back
from analytics.backup.take import take
from analytics.cli.store import refuse_running
from analytics.config import Config

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=FOLDER)
@click.pass_obj
def backup(config: Config, folder: Path) -> None:
    """Back up the database and the data folder to FOLDER, a new one, while the suite runs.

    Records that arrive meanwhile may be in the backup or not; after `bin/analytics restore` the suite continues as if it
    had been killed then, and each record that is put in again counts once.
    """
    began = time.monotonic()
    contents = take(config, folder, lambda done: click.echo(f"backed up {done}"))
    size = sum(one.bytes for one in contents.files.values())
    click.echo(f"{folder} is complete: {size / 1e6:,.1f} MB in {time.monotonic() - began:.0f} s")


@click.command()
@click.argument("folder", type=FOLDER)
@click.pass_obj
def restore(config: Config, folder: Path) -> None:
    """Restore the backup in FOLDER into an empty database and an empty data folder.

    Stop the suite first. Every file is compared with its checksum before anything is written. If it is interrupted, call it
    again: it starts over.
    """
    refuse_running(config)
    contents = put_back(config, folder, lambda done: click.echo(f"restored {done}"))
    taken = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(contents.at))
    click.echo(f"restored the backup of {taken}; start the suite: bin/analytics start")
