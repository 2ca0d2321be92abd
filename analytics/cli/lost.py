"""``analytics lost``: lists parts of logs that were deleted before they were read, and accepts the loss."""

import time

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analytics.config import Config
from analytics.spouts.lost import accept, waiting


@click.command()
@click.option("--accept", "accepted", is_flag=True, help="Accept the loss, so that status is healthy again.")
@click.pass_obj
def lost(config: Config, accepted: bool) -> None:
    """List the parts of logs that were deleted before they were read.

    If you have such a log elsewhere, pipe the whole of it to `bin/read_stdin_gamelog`: lines that were read count once.
    """
    found = accept(config) if accepted else waiting(config.data)
    table = Table("since", "source", "from line", "from byte", "bytes", "reason")
    for loss in found:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(loss.at))
        much = f"{loss.bytes:,}" if loss.bytes else "unknown"
        table.add_row(since, Text(loss.source), str(loss.line), str(loss.byte), much, Text(loss.reason))
    if found:
        Console().print(table)
    click.echo(f"{len(found)} accepted" if accepted else f"{len(found)} lost")
