"""Both ways to divide a journal's block by topic: by compiled code, and line by line."""

from analytics.core import journal_lines
from analytics.core.compiled import journal_scan
from analytics.core.intervals import Intervals
from analytics.core.journal_lines import BlockLines
from analytics.testing.paths import Chunk

LEFT_OUT = 3
"""One record in so many is left out the second time."""


class JournalPaths:
    """Divides blocks in both ways, once whole and once without some records.

    Attributes:
        accepted: lines that compiled code took.
    """

    def __init__(self) -> None:
        self.accepted = 0

    def disagreement(self, *chunks: Chunk) -> str | None:
        """Return on what both disagree, None where they agree or compiled code refuses the chunk."""
        return next(filter(None, map(self._of_one, chunks)), None)

    def _of_one(self, lines: Chunk) -> str | None:
        block = b"".join([line + b"\n" for line in lines])
        found = journal_scan(block)
        if found is None:
            return None
        self.accepted += len(lines)
        whole = journal_lines._one_by_one(block, {})
        for without in ({}, _some_of(whole)):
            one = journal_lines._scanned(block, found, without)
            other = journal_lines._one_by_one(block, without)
            if one != other:
                return f"compiled, without {without}: {one}\nline by line: {other}"
        return None


def _some_of(lines: BlockLines) -> dict[str, list[tuple[int, int]]]:
    return {
        source: list(
            Intervals.of(
                n for first, last in pairs for n in range(first, last + 1) if n // LEFT_OUT % LEFT_OUT == 0
            )
        )
        for source, pairs in lines.numbers.items()
        if sum(first for first, _ in pairs) % 2
    }
