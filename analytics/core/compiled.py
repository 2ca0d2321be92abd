"""What of the suite is compiled: without a C compiler it was installed without, and other code does the same, slower."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

try:
    from analytics.core import plain
    from analytics.core.scan import Scanner
except ImportError:
    COMPILED = False
else:
    COMPILED = True

if TYPE_CHECKING:
    from analytics.core.plain import Plain
    from analytics.core.schema import Schema

__all__ = ["COMPILED", "named", "scanner"]


def scanner(
    areas: Iterable[str], earliest: int, schemas: "Mapping[str, Schema] | None" = None
) -> "Scanner | None":
    """Return what reads lines of ``areas``, not before ``earliest`` (Unix seconds); None if it is not compiled.

    ``schemas``: what lines have to say, per op code that bolts read.
    """
    return Scanner(areas, earliest, schemas or {}) if COMPILED else None


def named(plains: "Sequence[Plain]", source: str) -> dict[str, tuple[int, bytes]]:
    """Return, per op code, how many lines a scanner found, and these with their ids, one after the other."""
    return plain.named(plains, source.encode())
