"""``analytics alerts``: shows what the rules see now, and tries the channels."""

import time
from contextlib import closing

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analytics.alerts import numbers
from analytics.alerts.channels import send
from analytics.alerts.node import describe, rules_of
from analytics.config import Config
from analytics.errors import AnalyticsError, Unavailable
from analytics.store import open_reader


@click.group()
def alerts() -> None:
    """Show what the rules of `[alerts]` see now, or try the channels."""


@alerts.command()
@click.pass_obj
def show(config: Config) -> None:
    """Judge every rule now, without sending anything."""
    now = time.time()
    table = Table("alert", "of", "value", "judgement")
    with closing(open_reader(config)) as reader:
        for rule in rules_of(config):
            for place in numbers.places(config, rule.section):
                found = numbers.judged(reader, rule, place, now)
                value = "-" if found is None else f"{found.value:g}"
                says = (
                    "not known yet" if found is None
                    else describe(rule, place, found, since=0) if found.applies else "as usual"
                )  # fmt: skip
                table.add_row(rule.name, Text(place.name), value, Text(says))
    Console().print(table)


@alerts.command()
@click.argument("channels", nargs=-1)
@click.pass_obj
def test(config: Config, channels: tuple[str, ...]) -> None:
    """Send a test message over CHANNELS [default: all]. The exit status is 1 if one does not take it."""
    failed = 0
    for name in channels or config.channels:
        if name not in config.channels:
            raise AnalyticsError(
                f"expected a channel of [channels], got {name}; there are: {', '.join(config.channels) or 'none'}"
            )
        try:
            send(config.channels[name], f"A test of the channel {name}: alerts arrive here.", {"test": True})
            click.echo(f"{name}: sent")
        except Unavailable as error:
            failed += 1
            click.echo(f"{name}: {error}")
    if failed:
        raise AnalyticsError(f"{failed} of the channels did not take the message")
