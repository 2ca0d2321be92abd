"""``analytics tokens``: makes, lists and revokes tokens for the dashboard's API."""

import getpass
import time
from contextlib import closing

import click
from rich.table import Table

from analytics.cli.console import UNCUT, console, text, user_of_machine
from analytics.config import Config, areas
from analytics.errors import AnalyticsError
from analytics.store import Store, open_store
from analytics.web.display import moment
from analytics.web.entries.audit import AuditKind, AuditLog
from analytics.web.entries.collection import Entries
from analytics.web.entries.links import MOST_DAYS_VALID
from analytics.web.entries.tokens import DEFAULT_DAYS, ApiToken, granted, make_token


@click.group()
def tokens() -> None:
    """Make, list or revoke tokens, with which programs use the dashboard's API."""


@tokens.command()
@click.argument("name")
@click.option("--game", "games", multiple=True, help="Only this game; may be repeated. [default: all]")
@click.option("--lists", is_flag=True, help="Accounts by name, too: lists, top payers.")
@click.option("--annotate", is_flag=True, help="It may enter and remove annotations.")
@click.option("--days", type=click.IntRange(1, MOST_DAYS_VALID), default=DEFAULT_DAYS, show_default=True, help="After which it expires.")  # fmt: skip
@click.pass_obj
def create(config: Config, name: str, games: tuple[str, ...], lists: bool, annotate: bool, days: int) -> None:
    """Make the token NAME, and print it: this is the only time that it can be read."""
    known = {area.game for area in areas(config).values()}
    with closing(open_store(config)) as store:
        token, made = make_token(
            store, name, games=list(games), known_games=known, lists=lists, annotates=annotate, days=days,
            by=getpass.getuser(), now=time.time(),
        )  # fmt: skip
        _note(config, store, "token created", name, granted(made))
    click.echo(token)


@tokens.command("list")
@click.pass_obj
def listed(config: Config) -> None:
    """List the tokens, without their secrets."""
    table = Table("name", "games", "lists", "annotates", "by", "expires")
    with closing(open_store(config)) as store:
        for one in Entries(store, ApiToken).find():
            expires = moment(one.expires, config.timezone)
            games = " ".join(one.games) or "all"
            cells = (one.id, games, _yes(one.lists), _yes(one.annotates), one.by, expires)
            table.add_row(*map(text, cells))
    console(UNCUT).print(table)


@tokens.command()
@click.argument("name")
@click.pass_obj
def revoke(config: Config, name: str) -> None:
    """Revoke the token NAME: it stops working at once."""
    with closing(open_store(config)) as store:
        if Entries(store, ApiToken).get(name) is None:
            raise AnalyticsError(f"expected the name of a token, got {name}; `tokens list` has them")
        _note(config, store, "token revoked", name)
        Entries(store, ApiToken).remove(name)


def _note(config: Config, store: Store, what: AuditKind, name: str, query: str = "") -> None:
    """Note in the audit log what is done, before it takes effect or is shown."""
    AuditLog(store, config.dashboard.audit_days).note(time.time(), user_of_machine(), what, name, query)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
