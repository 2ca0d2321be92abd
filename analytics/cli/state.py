"""``analytics state``: whether the files that say how far work has come are whole, and what can be done if not."""

import time
from pathlib import Path

import click

from analytics import sealed
from analytics.config import Config
from analytics.errors import AnalyticsError

_SPARE = {
    "state/gamelog.json": "all logs are read again, and repeats are dropped",
    "state/payment.json": "all open days are asked again, and what is found is published once more, which changes no number",
    "state/syncuser.json": "all roles are asked for again, and repeats are dropped",
    "state/rebuild.json": "call `bin/analytics rebuild` without --bolt afterwards",
    "queue/bolts.json": "segments wait until all bolts have reported again",
}
"""Files that the suite can do without, and what happens then."""
_NEEDED = {
    "filter/snapshot.json": "without it repeated records would count again: restore data/filter from a backup, or count "
    "everything from the journals as docs/operations.md says under Counting again",
}


@click.command()
@click.option("--repair", is_flag=True, help="Move damaged files away that the suite can go on without.")
@click.pass_obj
def state(config: Config, repair: bool) -> None:
    """Check the files in the data folder that say how far work has come.

    Each carries a checksum, and the generation before lies beside it: a node that finds the newest damaged goes on with
    that. Stop the suite before you repair. The exit status is 1 where something stays damaged.
    """
    left = 0
    for name, then in {**_SPARE, **_NEEDED}.items():
        path = config.data / name
        if not (why := sealed.damage(path)):
            continue
        before = sealed.older(path)
        if before.exists() and not sealed.damage(before):
            click.echo(f"{path}: {why}; its node goes on with the generation before, {before.name}")
        elif repair and name in _SPARE:
            _move_away(path)
            click.echo(f"{path}: {why}; moved away: {then}")
        else:
            click.echo(f"{path}: {why}; {then}")
            left += 1
    if left:
        raise AnalyticsError(
            f"{config.data}: {left} state files are damaged; --repair moves those away that can be spared"
        )
    click.echo("The state files are in order.")


def _move_away(path: Path) -> None:
    """Move a file away, and the generation before it, which is damaged, too."""
    for one in (path, sealed.older(path)):
        if one.exists():
            one.replace(one.with_name(f"{one.name}.damaged-{time.time():.0f}"))
    sealed.sync_folder(path.parent)
