"""What of the suite is compiled: without a C compiler it was installed without, and other code does the same, slower."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

try:
    from analytics.core import plain, remap, texts
    from analytics.core.journal_scan import scan
    from analytics.core.scan import Scanner
except ImportError:
    COMPILED = False
else:
    COMPILED = True

if TYPE_CHECKING:
    from analytics.core.plain import Plain
    from analytics.core.remap import Remapper
    from analytics.core.schema import Schema

JournalScan = tuple[list[tuple[str, int]], list[tuple[str, int]], bytes, bytes, int]
"""See ``core/journal_scan.pyx``."""

__all__ = [
    "COMPILED", "JournalScan", "added", "count_lines", "journal_scan", "lists_as_bson", "named", "numbered", "remapper",
    "scanner",
]  # fmt: skip


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


def count_lines(text: bytes, begin: int, end: int) -> int:
    """Return the newlines between two places."""
    return plain.count_lines(text, begin, end) if COMPILED else text.count(b"\n", begin, end)


def remapper(*options: Any) -> "Remapper | None":
    """Return what rewrites JSON lines of another shape; None where it is not compiled, or where there is too much to rewrite."""
    try:
        return remap.Remapper(*options) if COMPILED else None
    except ValueError:
        return None


def numbered(chunk: bytes, first: int, begin: bytes, end: bytes) -> bytes:
    """Return whole lines, each between ``begin``, its number, ``end`` and a brace; the last one's newline left out."""
    if COMPILED:
        return remap.numbered(chunk, first, begin, end)
    lines = enumerate(chunk.split(b"\n")[:-1], first)
    return b"\n".join(b"%b%d%b%b}" % (begin, n, end, line) for n, line in lines)


def added(known: set[str], more: Collection[str]) -> list[str]:
    """Add texts to those that are ``known``, and return the new ones, each once."""
    if COMPILED:
        return texts.added(known, more)
    new = [text for text in dict.fromkeys(more) if text not in known]
    known.update(new)
    return new


def lists_as_bson(document: dict[str, Any], least: int) -> dict[str, bytes]:
    """Return lists as members of a BSON document, by name, if they are ``least`` or more texts of ASCII. The rest is for pymongo."""
    return texts.lists_as_bson(document, least) if COMPILED else {}


def journal_scan(block: bytes) -> JournalScan | None:
    """Return what ``core/journal_scan.pyx`` finds in a journal's block; None where it is not compiled, or a line is not regular."""
    return scan(block) if COMPILED else None
