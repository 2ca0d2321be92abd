"""``analytics password``: hashes a password for ``dashboard.users``."""

import sys

import click
from werkzeug.security import generate_password_hash

from analytics.errors import AnalyticsError

LEAST = 10  # characters


@click.command()
@click.argument("user")
def password(user: str) -> None:
    """Print the line for [dashboard.users] of the configuration that lets USER log in to the dashboard.

    The password is prompted for twice, or read from stdin if that is no terminal.
    """
    if sys.stdin.isatty():
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = sys.stdin.readline().rstrip("\n")
    if len(given) < LEAST:
        raise AnalyticsError(f"password: expected at least {LEAST} characters, got {len(given)}")
    plain = user.isascii() and user.replace("-", "").replace("_", "").isalnum()
    if not plain:
        raise AnalyticsError(f'USER: expected letters, digits, "-" and "_", got {user!r}')
    click.echo(f'{user} = "{generate_password_hash(given)}"')
