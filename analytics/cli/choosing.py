"""Options of the commands that derive documents again: which of them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

DAY = click.DateTime(["%Y-%m-%d"])

F = TypeVar("F", bound=Callable[..., Any])


def choosing(bolts: str) -> Callable[[F], F]:
    """Add ``--bolt``, described by ``bolts``, ``--area``, ``--from`` and ``--to``: arguments ``names``, ``area``, ``since``, ``until``."""
    options = [
        click.option("--bolt", "names", multiple=True, metavar="B", help=bolts),
        click.option("--area", default="", metavar="ID", help="Only this area."),
        click.option(
            "--from", "since", type=DAY, help="Only documents of this day (in the area's zone) or later."
        ),
        click.option("--to", "until", type=DAY, help="… of this day or earlier."),
    ]

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add
