"""*System*: how the suite itself does."""

from collections.abc import Iterator
from pathlib import Path

from analytics.errors import AnalyticsError
from analytics.runtime.report import report
from analytics.spouts.rejected import Reject, kind_of, waiting
from analytics.web.data import Data
from analytics.web.shapes import JournalFile, RejectedKind, System

MOST = 100
SAMPLE = 500
KINDS = ("gamelog", "payment", "syncuser", "rejected")


def view(data: Data) -> System:
    """Return the page's numbers, as they are at this moment."""
    status = report(data.config)
    kinds = rejected(data)
    files = journals(data.config.data)
    return System(
        healthy=status.healthy,
        status=status,
        rejected=kinds[:MOST],
        rejected_count=sum(kind.count for kind in kinds),
        journals=files[:MOST],
        journal_bytes=sum(file.bytes for file in files),
        store_error=_store_error(data),
    )


def rejected(data: Data) -> list[RejectedKind]:
    """Return the records that are put aside, by kind of reason and source, the most frequent first."""
    by_kind: dict[tuple[str, str], list[Reject]] = {}
    for one in waiting(data.config.data).values():
        by_kind.setdefault((kind_of(one.reason), one.source), []).append(one)
    found = []
    for (reason, source), members in by_kind.items():
        newest = max(members, key=lambda one: one.at)
        sample = newest.original()[:SAMPLE].decode(errors="backslashreplace")
        found.append(
            RejectedKind(reason, source, len(members), newest.at, newest.reason[:SAMPLE], sample, newest.n)
        )
    return sorted(found, key=lambda kind: (-kind.count, kind.reason, kind.source))


def journals(folder: Path) -> list[JournalFile]:
    """Return the files that keep records as they came in, the newest first."""
    return sorted(_journals(folder), key=lambda file: (-file.written, file.name))


def _journals(folder: Path) -> Iterator[JournalFile]:
    for kind in KINDS:
        for path in folder.glob(f"{kind}_*.txt"):
            try:
                facts = path.stat()
            except FileNotFoundError:
                continue  # it was too old, and went while we looked
            yield JournalFile(path.name, kind, facts.st_size, facts.st_mtime)


def _store_error(data: Data) -> str:
    try:
        data.store.ping()
    except AnalyticsError as error:
        return str(error)
    return ""
