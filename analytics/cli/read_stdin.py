"""``analytics read-stdin-gamelog``: reads a gamelog or journal from stdin."""

import sys
import time
from contextlib import closing

import click
from rich.console import Console

from analytics.cli.console import pace
from analytics.config import Config
from analytics.engine.seen import counted_records
from analytics.errors import AnalyticsError
from analytics.runtime.outdated import find_outdated
from analytics.spouts.stdin import LineCounts, Piped


@click.command()
@click.argument("word", required=False, type=click.Choice(["replay"]))
@click.option(
    "--source",
    default="",
    metavar="NAME",
    help="Name of lines without an id: line n of NAME counts once, whatever it contains. [default: the stream is recognised]",
)
@click.option("--game", default="", help="Accept only areas of this game. [default: of every game]")
@click.option(
    "--mapping", default="", metavar="SOURCE", help="Read the lines by the mapping of this configured source."
)
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for the broker.")
@click.pass_obj
def read_stdin(
    config: Config, word: str | None, source: str, game: str, mapping: str, timeout: float
) -> None:
    """Read a gamelog or journal from stdin.

    Records that were accepted before are ignored: those of a journal in any order, those of a log if the same log, byte
    by byte, was piped in or read by a source before. A copy with other line ends is another log. The word "replay" is
    accepted for a journal and changes nothing. With an engine, records that were journaled and are not counted yet are put in once
    more; it counts them once.

    \b
    cat game.log | bin/read_stdin_gamelog
    cat data/gamelog_201502061738.txt | bin/read_stdin_gamelog replay
    """
    if sys.stdin is None:
        raise AnalyticsError(
            "stdin: expected a game log, but it is closed. Try: cat FILE | bin/read_stdin_gamelog"
        )
    if sys.stdin.isatty():
        raise AnalyticsError(
            "stdin: expected a game log, got a terminal. Try: cat FILE | bin/read_stdin_gamelog"
        )
    if text := find_outdated(config):
        click.echo(f"warning: {text}; until then they reject records of unknown areas", err=True)
    console = Console(stderr=True)
    piped = Piped(config, source, game, timeout, mapping, counted_records(config))
    begun, is_time = time.monotonic(), pace(0.2)
    with closing(piped), console.status("reading") as status:

        def show(totals: LineCounts) -> None:
            if is_time():
                rate = totals.read / max(time.monotonic() - begun, 1e-9)
                status.update(f"{totals} ({rate:,.0f} lines/s)")

        totals = piped.read(sys.stdin.fileno(), show)
    click.echo(str(totals))
