"""``analytics run``: nodes in the foreground."""

import os
import sys
from pathlib import Path

import click

from analytics.app import build
from analytics.config import Config
from analytics.config.checks import unset_variables
from analytics.errors import AnalyticsError, ConfigError
from analytics.runtime.logs import set_up
from analytics.runtime.node import run as run_nodes
from analytics.runtime.service.conf import noted_pid
from analytics.system.processes import allow_all_descriptors, die_with


@click.command()
@click.argument("nodes", metavar="NODE…", nargs=-1, required=True)
@click.option("--with-parent", type=int, hidden=True, help="End when the parent process, of this id, ends.")
@click.option("--supervised", is_flag=True, hidden=True, help="End when the supervisor of `start` ends.")
@click.pass_obj
def run(config: Config, nodes: tuple[str, ...], with_parent: int | None, supervised: bool) -> None:
    """Run nodes in the foreground until SIGTERM or Ctrl-C.

    NODE is broker, engine, gamelog, payment, syncuser, store, timers, alerts, dashboard, metrics, workers (all groups of the
    configuration), the name of a group, or of a bolt; bolts that are named together share one worker.
    """
    _close_to_others(config.data)
    allow_all_descriptors()
    if supervised:
        with_parent = noted_pid(config)
    if with_parent is not None and not die_with(with_parent):
        raise AnalyticsError(f"the parent process {with_parent} is gone")
    unset = list(unset_variables(config))
    if unset:
        raise ConfigError("\n".join(f"{config.file}: {fault}" for fault in unset))
    built = build(nodes, config)
    set_up(config.log_level, config.log_format, [node.name for node in built])
    sys.exit(run_nodes(built, config))


def _close_to_others(folder: Path) -> None:
    """Close the data folder to others: files in it may be older than the umask of commands."""
    if folder.is_dir() and folder.stat().st_uid == os.geteuid():
        folder.chmod(folder.stat().st_mode & ~0o007)
