"""The console of commands: Rich's, which escapes control characters."""

import getpass
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import rich.console
import rich.markup
from rich.segment import Segment
from rich.table import Column
from rich.text import Text

from analytics.cli.streams import visible

WIDE = 160  # columns, where there is no terminal to ask
UNCUT = 10_000
"""Wide enough that no cell of a table is wrapped."""


class Console(rich.console.Console):
    """Rich's own control characters are not escaped."""

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of ``renderable``, with the control characters of its text escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def text(shown: str) -> Text:
    """Return escaped text for a table cell, so that the column gets the right width."""
    return Text(visible(shown))


def right(*names: str) -> list[Column]:
    """Return the columns of a table whose values are numbers, which stand at the right."""
    return [Column(name, justify="right") for name in names]


def escape(shown: str) -> str:
    """Return text that is escaped for Rich's markup."""
    return rich.markup.escape(visible(shown))


def some(count: int, what: str) -> str:
    """Return how many there are of something, as "1 area" or "2 areas"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def console(wide: int = WIDE, **options: Any) -> Console:
    """Return the console of stdout. If it is no terminal, lines are ``wide``."""
    return Console(width=None if sys.stdout.isatty() else wide, **options)


def pace(seconds: float) -> Callable[[], bool]:
    """Return what says that it is time, at most every so many seconds."""
    following = 0.0

    def is_time() -> bool:
        nonlocal following
        now = time.monotonic()
        if now < following:
            return False
        following = now + seconds
        return True

    return is_time


def user_of_machine() -> str:
    """Return who calls a command, for the audit log."""
    return f"{getpass.getuser()} on {socket.gethostname()}"
