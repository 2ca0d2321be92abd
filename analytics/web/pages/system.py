"""*System*: how the suite itself does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from analytics.config import Config
from analytics.runtime.report import StatusReport, report
from analytics.runtime.usefulness import SourceShare
from analytics.spouts.ends import journal_folders
from analytics.spouts.rejected import Reject, kind_of, waiting
from analytics.web.answers import filled, means
from analytics.web.csvs import structs
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.page import DashboardPage


class RejectedKind(msgspec.Struct, frozen=True, kw_only=True):
    """Records that could not be used for the same reason, from the same source."""

    reason: Annotated[str, means("what was expected and where, without the value that was found")]
    source: str
    count: Annotated[int, means("distinct records that still wait for a replay")]
    newest: Annotated[float, means("when the newest was rejected, Unix seconds")]
    sample_reason: Annotated[str, means("the newest one's reason in full")]
    sample: Annotated[str, means("the beginning of the newest one's text")]
    sample_n: Annotated[int, means("its number in the source; 0 where it has none")]


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A source of records: whether it can be read, and how many of its records could be used."""

    spout: str
    source: str
    problem: Annotated[str, means('why it is not healthy; "" if it is')]
    accepted: Annotated[int, means("distinct records accepted, ever; with an engine, those that are counted")]
    rejected: Annotated[int, means("distinct records rejected, ever; with an engine, since it counts")]
    percent: Annotated[float, means("the share that was rejected, in percent")]


class JournalSummary(msgspec.Struct, frozen=True):
    """A file of the data folder that keeps records as they came in."""

    name: str
    kind: Annotated[str, means('"gamelog", "payment", "syncuser" or "rejected"')]
    bytes: int
    written: Annotated[float, means("when it was last written to, Unix seconds")]


class SystemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The page *system*. It is about this suite, so it has no scope; times are Unix seconds."""

    healthy: Annotated[bool, means("whether every node is healthy and the balance adds up")]
    status: Annotated[
        StatusReport, means("nodes, balance, and broker or engine, as `bin/analytics status` has them")
    ]
    sources: Annotated[list[SourceRow], means("unhealthy ones first; at most 100, the CSV has all")]
    rejected: Annotated[list[RejectedKind], means("most frequent first; at most 100 kinds, the CSV has all")]
    rejected_count: Annotated[int, means("rejected records in all")]
    journals: Annotated[list[JournalSummary], means("newest first; at most 100, the CSV has all")]
    journal_bytes: Annotated[int, means("bytes of all of them")]
    store_error: Annotated[str, means('why the store does not answer; "" where it does')]

    @property
    def at(self) -> float:
        """When this was read."""
        return self.status.at


MOST = 100
"""Rows of each list: a suite with more sources or files has `status --json`."""

SAMPLE = 500
"""Characters of a rejected record: enough to see what it is, on one screen."""

KINDS = ("gamelog", "payment", "syncuser", "rejected")


def view(data: Data, filters: Filters) -> SystemAnswer:
    """Return the page's numbers, as they are at this moment."""
    status = report(data.config)
    kinds = rejected(data)
    files = journals(data.config)
    return SystemAnswer(
        healthy=status.healthy,
        status=status,
        sources=sources(status)[:MOST],
        rejected=kinds[:MOST],
        rejected_count=sum(kind.count for kind in kinds),
        journals=files[:MOST],
        journal_bytes=sum(file.bytes for file in files),
        store_error=data.store_error(),
    )


def sources(status: StatusReport) -> list[SourceRow]:
    """Return the sources that a spout reads or has read: unhealthy ones first, then by the share that was rejected."""
    shares = {(one.spout, one.source): one for one in status.shares}
    problems = {
        (node.name, name): "" if source.get("healthy", True) else str(source.get("last_error", ""))
        for node in status.nodes
        if node.role == "spout" and node.pid
        for name, source in node.state.get("sources", {}).items()
        if isinstance(source, dict)
    }
    found = []
    for spout, source in {**shares, **problems}:
        share = shares.get((spout, source), SourceShare(spout, source, 0, 0))
        given: dict[str, Any] = {"problem": problems.get((spout, source), "")}
        found.append(filled(SourceRow, share, **given))
    return sorted(found, key=lambda one: (not one.problem, -one.percent, one.spout, one.source))


def rejected(data: Data) -> list[RejectedKind]:
    """Return the rejected records, by kind of reason and source, the most frequent first."""
    by_kind: dict[tuple[str, str], list[Reject]] = {}
    for one in waiting(data.config.data).values():
        by_kind.setdefault((kind_of(one.reason), one.source), []).append(one)
    found = []
    for (reason, source), members in by_kind.items():
        newest = max(members, key=lambda one: one.at)
        sample = newest.original()[:SAMPLE].decode(errors="backslashreplace")
        found.append(
            RejectedKind(
                reason=reason,
                source=source,
                count=len(members),
                newest=newest.at,
                sample_reason=newest.reason[:SAMPLE],
                sample=sample,
                sample_n=newest.n,
            )
        )
    return sorted(found, key=lambda kind: (-kind.count, kind.reason, kind.source))


def journals(config: Config) -> list[JournalSummary]:
    """Return the files that keep records as they came in, the newest first."""
    folders = {config.data, *journal_folders(config)}
    found = (file for folder in folders for file in _journals(folder))
    return sorted(found, key=lambda file: (-file.written, file.name))


def _journals(folder: Path) -> Iterator[JournalSummary]:
    for kind in KINDS:
        for path in folder.glob(f"{kind}_*.txt"):
            try:
                facts = path.stat()
            except FileNotFoundError:
                continue  # it was too old, and went while we looked
            yield JournalSummary(path.name, kind, facts.st_size, facts.st_mtime)


PAGE = DashboardPage(
    name="system",
    title="System",
    answer=SystemAnswer,
    view=view,
    icon="M1.5 8.5h3l2-5.5 3 10 2-4.5h3",
    csvs={
        "sources": lambda data, filters: structs(SourceRow, sources(report(data.config))),
        "rejected": lambda data, filters: structs(RejectedKind, rejected(data)),
        "journals": lambda data, filters: structs(JournalSummary, journals(data.config)),
    },
    template="system.html",
    every=3,
    has_filter=False,
)
