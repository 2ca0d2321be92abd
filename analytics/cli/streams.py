"""Where commands write: data reaches a terminal without its control characters, and no locale stops it."""

import io
import re
import sys
from typing import TextIO

_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it, but for tabs and newlines; marks that turn the direction of text, too."""


def visible(text: str) -> str:
    """Return ``text`` with control characters as JSON writes them, ``\\u001b`` for ESC; JSON stays the same JSON."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def data_stream() -> TextIO:
    """Return stdout for JSON or CSV: in UTF-8 whatever the locale, on a terminal with control characters escaped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    return _Visible() if sys.stdout.isatty() else sys.stdout


def tolerate_any_text() -> None:
    """Let stdout and stderr write what the locale's encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Visible(io.TextIOBase, TextIO):
    """Writes to stdout what is visible."""

    def write(self, text: str) -> int:
        """Write all of ``text``."""
        sys.stdout.write(visible(text))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        sys.stdout.flush()
