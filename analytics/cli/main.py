"""``analytics``: the group of all commands. Each is imported only when it is called."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analytics import __version__
from analytics.cli.streams import tolerate_any_text, visible
from analytics.errors import AnalyticsError, ConfigError

if TYPE_CHECKING:
    from analytics.config import Config

BAD_CONFIGURATION = 2  # exit status
NOT_FOR_OTHERS = 0o027
"""The umask: files have accts and payments, so others may not read them and the group may not write them."""
COMMANDS = {
    "alerts": "Show what alerts see, or try their channels.",
    "annotations": "Mark days on the dashboard's charts.",
    "backup": "Back up the database and the data folder.",
    "check": "Check the configuration and everything that it names.",
    "crash-test": "Kill a suite at random, and compare every number.",
    "demo": "Run the whole suite on a simulated game.",
    "drain": "Wait until every accepted record is in its documents.",
    "engine": "Hand over to the engine or back, or derive its documents.",
    "export": "Write journals and documents as Parquet files.",
    "forget": "Replace accts by pseudonyms, for good.",
    "fuzz": "Compare all decoders of lines, on generated lines.",
    "init": "Write a configuration for a log of yours.",
    "keys": "Make keys for nodes of other hosts.",
    "lost": "List parts of logs that were deleted before they were read.",
    "password": "Hash a password for a user of the dashboard.",
    "query": "Answer a question in SQL from the journals.",
    "read-stdin-gamelog": "Read a gamelog or journal from stdin.",
    "rebuild": "Derive documents again from the journals.",
    "rejected": "List rejected records, or put them in again.",
    "reload": "Restart the nodes that a changed configuration concerns.",
    "restart": "Stop the suite and start it again.",
    "restore": "Restore a backup.",
    "run": "Run nodes in the foreground.",
    "show": "Read the documents of a collection.",
    "simulate": "Serve a simulated game to try the suite with.",
    "start": "Start the whole suite in the background.",
    "state": "Check the files that record progress.",
    "status": "Show every node, and whether the balance adds up.",
    "stop": "Stop the suite in order.",
    "store": "Print the database's address, or move it between embedded servers.",
    "tail": "Print tuples as they arrive.",
    "timers": "Compute documents of timer bolts again.",
    "tokens": "Make, list or revoke tokens for the API.",
    "try": "Show what the first lines of a log become.",
    "views": "Create flat views of the documents, for BI tools.",
}
"""Every command, with its summary. It is a function of its name in a module of its name, but for those of :data:`ELSEWHERE`."""

ELSEWHERE = {
    "read-stdin-gamelog": ("read_stdin", "read_stdin"),
    "reload": ("service", "reload"),
    "restart": ("service", "restart"),
    "restore": ("backup", "restore"),
    "start": ("service", "start"),
    "stop": ("service", "stop"),
    "try": ("try_lines", "try_lines"),
}
TALK_TO_THE_BROKER = {"drain", "read-stdin-gamelog", "rebuild", "rejected", "tail", "timers"}
NEED_NO_CONFIGURATION = {"crash-test", "fuzz", "simulate", "demo", "check", "password", "init"}
STAY_ROOT = {"start", "stop", "restart"}
"""Commands that refuse root if the suite is another user's: a service manager calls them as that user."""
WRITE = {"backup", "engine", "forget", "keys", "read-stdin-gamelog", "rebuild", "restore", "run"}
"""Commands that write to the data folder, always."""
WRITE_WITH = {
    "lost": {"--accept"}, "rejected": {"--replay", "--dismiss"}, "state": {"--repair"}, "store": {"move"}
}  # fmt: skip
"""Commands that do with one of these options."""


class Lazy(click.Group):
    """A group whose commands are imported when they are called, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        own = cmd_name.replace("-", "_")
        module, attribute = ELSEWHERE.get(cmd_name, (own, own))
        command: click.Command = getattr(importlib.import_module(f"analytics.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command; read the configuration for it, if it needs one and does not just print help."""
        name, command, rest = super().resolve_command(ctx, args)
        wanted = not ctx.resilient_parsing and not {"--help", "-h"} & set(rest)
        if wanted and name not in NEED_NO_CONFIGURATION:
            from analytics.app import configuration

            ctx.obj = configuration(ctx.params["config"])
            if name not in STAY_ROOT:
                _become_owner(ctx.obj, str(name), rest)
            if name in TALK_TO_THE_BROKER:
                from analytics.cluster.place import located

                ctx.obj = located(ctx.obj)
        elif wanted:
            ctx.obj = ctx.params["config"]
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration. [default: $ANALYTICS_CONFIG, conf/analytics.toml, or the one in /etc]",
)
@click.version_option(__version__, prog_name="analytics")
def cli(config: Path | None) -> None:
    """Count what happens in online games: from their logs to MongoDB, each record exactly once."""


def main(arguments: list[str] | None = None, run: Callable[..., Any] = cli) -> None:
    """Run the command line. Errors are reported on stderr in a few words, with exit status 1 or 2."""
    tolerate_any_text()
    os.umask(os.umask(0o077) | NOT_FOR_OTHERS)
    try:
        run(arguments, prog_name="analytics")
    except ConfigError as error:
        _report_error(error, BAD_CONFIGURATION)
    except AnalyticsError as error:
        _report_error(error, 1)
    except OSError as error:
        if not error.strerror:
            raise
        _report_error(AnalyticsError(_text_of(error)), 1)


def _become_owner(config: "Config", name: str, rest: list[str]) -> None:
    """Switch to the user of the suite, before anything is opened; see ``analytics.runtime.owner``."""
    from analytics.runtime.owner import become

    if name == "keys" and not Path(config.broker.keys).is_relative_to(config.data):
        return  # the folder is the configured one, where the caller may write
    options = WRITE_WITH.get(name, set())
    become(config.data, name in WRITE or any(word.partition("=")[0] in options for word in rest))


def _text_of(error: OSError) -> str:
    """Return what a person reads of an error of the system, such as a full disk."""
    return f"{error.filename}: {error.strerror}" if error.filename is not None else str(error.strerror)


def _report_error(error: AnalyticsError, status: int) -> None:
    print("\n".join(f"analytics: {visible(line)}" for line in str(error).splitlines()), file=sys.stderr)
    sys.exit(status)
