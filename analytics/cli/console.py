"""The console of commands: Rich's, which shows the control characters of what it is given instead of obeying them."""

import sys
from collections.abc import Iterable
from typing import Any

import rich.console
import rich.markup
from rich.segment import Segment
from rich.text import Text

from analytics.cli.streams import visible

WIDE = 160
UNCUT = 10_000
"""Wide enough for a table of which no cell is to be folded."""


class Console(rich.console.Console):
    """Control characters that Rich itself writes to steer the terminal stay as they are."""

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of ``renderable``, with the control characters of its text escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def text(shown: str) -> Text:
    """Return text for a cell of a table: escaped already, so that the column is as wide as it needs to be."""
    return Text(visible(shown))


def escape(shown: str) -> str:
    """Return text to be put among Rich's markup."""
    return rich.markup.escape(visible(shown))


def console(wide: int = WIDE, **options: Any) -> Console:
    """Return the console of stdout. Where that is no terminal, lines are ``wide``, since nobody watches."""
    return Console(width=None if sys.stdout.isatty() else wide, **options)
