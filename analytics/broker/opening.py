"""Opens a log's folder; errors of a damaged one."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from analytics.broker.records import Damaged
from analytics.broker.segment import LogSegment
from analytics.broker.topics import bounded
from analytics.broker.wire import Head
from analytics.errors import LogError

RESTORING = "restoring"
"""A file that lies in the data folder while a backup is restored into it: part of what was counted is missing then."""

FORGETTING = "forgetting"
"""A file that lies in the data folder while accts are being forgotten, with their pseudonyms: some have these in some places only.

With an engine, a file of this name lies in the shared folder as well."""

ENGINE_COUNTS = "engine_counts"
"""A file that lies in the data folder while an engine counts its records: a broker would count those to come twice."""

QUEUE = "queue"
"""The folder of the Queue in the data folder."""


_REFUSALS = {
    ENGINE_COUNTS: "an engine counts the records of this data folder. `bin/analytics engine release` hands over to broker and workers",
    FORGETTING: "accts were being forgotten, and that did not end. Call `bin/analytics forget` again",
    RESTORING: "a backup was being restored here, and that did not end. Call `bin/analytics restore` again",
}


def refuse(data: Path, *marks: str) -> None:
    """Raise LogError if one of these files lies in the data folder."""
    for mark in marks:
        if (data / mark).exists():
            raise LogError(f"{data}: {_REFUSALS[mark]}")


def open_segments(folder: Path, read: Iterable[str]) -> list[LogSegment]:
    """Open every segment of a folder. Return them, oldest first.

    The newest is opened first; older ones keep only the numbers of its topics in memory.
    """
    for unfinished in folder.glob("*.new"):
        unfinished.unlink()
    segments: list[LogSegment] = []
    kept: Mapping[str, Head] = {}
    for path in sorted(folder.glob("*.log"), reverse=True):
        try:
            segment = LogSegment.open(path)
        except Damaged as damage:
            raise damaged(path, damage) from damage
        if segments:
            segment.narrow(kept)
        else:
            kept = bounded(segment.start, read)
        segments.insert(0, segment)
    identities = sorted({segment.log for segment in segments})
    if len(identities) > 1:
        raise LogError(
            f"{folder} holds segments of {len(identities)} logs ({', '.join(identities)}), expected one: "
            "move the files away that were copied there"
        )
    return segments


def damaged(path: Path, damage: Damaged) -> LogError:
    """Return the error for a segment with a damaged record."""
    return LogError(
        f"{path} is damaged at byte {damage.offset}: {damage.reason}. Bolts that have not passed it may lack its "
        "records, but the journals have them: stop the suite, move this file away, start; "
        "docs/how-to/correct-documents.md, Counting again, says how to get exact numbers from the journals"
    )


def lost(path: Path, seq: int, expected: int, damage: Damaged | None) -> LogError:
    """Return the error for a log that lacks acknowledged records."""
    reason = f"at byte {damage.offset}: {damage.reason}" if damage else "it ends there"
    return LogError(
        f"{path}: the log ends at seq {seq}, but records through {expected} were acknowledged ({reason}). The disk "
        "lost what was written. Move the queue folder away and start: nothing will count twice. "
        "What the bolts had not handled yet is in the journals: docs/how-to/correct-documents.md, Counting again"
    )
