"""Output streams: escape control characters on a terminal, and work in any locale."""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters except tabs and newlines, and marks that change the direction of text."""


def visible(text: str) -> str:
    """Return ``text`` with control characters escaped as in JSON, ``\\u001b`` for ESC; JSON stays equal."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def data_stream() -> TextIO:
    """Return stdout for JSON or CSV: in UTF-8 whatever the locale, on a terminal with control characters escaped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    return _Visible() if sys.stdout.isatty() else sys.stdout


@contextmanager
def until_reader_leaves() -> Iterator[None]:
    """End the block, as if it were done, where the reader of stdout closes the pipe."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python's flush at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tolerate_any_text() -> None:
    """Make stdout and stderr escape characters that the locale's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Visible(io.TextIOBase, TextIO):
    """Writes to stdout with control characters escaped."""

    def write(self, text: str) -> int:
        sys.stdout.write(visible(text))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        sys.stdout.flush()
