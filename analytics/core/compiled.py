"""What of the suite is compiled: without a C compiler it was installed without, and other code does the same, slower."""

from collections.abc import Iterable

try:
    from analytics.core.scan import Scanner
except ImportError:
    COMPILED = False
else:
    COMPILED = True


def scanner(areas: Iterable[str], earliest: int) -> "Scanner | None":
    """Return what reads lines of ``areas``, not before ``earliest`` (Unix seconds); None where it is not compiled."""
    return Scanner(areas, earliest) if COMPILED else None
