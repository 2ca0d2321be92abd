"""Backfill: documents are derived again from the journals, between two batches.

    held ──▶ journals folded up to the last batch ──▶ derived, bolt after bolt ──▶ those that differ written ──▶ released
     │ batches stop; spouts go on                                                             what has changed is a batch of its own

The last batch is the cut: the records before it are those of the journals up to the saved ends, each once, and a document is
complete to its number. So documents can be compared exactly. Each is written on condition of the version that was compared:
if a driver goes on since this process was taken for gone, what it has written stays.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from analytics.config import Config, areas
from analytics.core.intervals import Intervals
from analytics.core.numberset import NumberSet
from analytics.engine.blocks import JournalBlock, age
from analytics.engine.context import running_bolts, task_context
from analytics.engine.deriving import DerivationScope, DerivedPortion, derive, fold_again, levels
from analytics.engine.engines import BatchEngine, TaskCall
from analytics.engine.extra import ExtraDocuments
from analytics.engine.hold import Hold
from analytics.engine.journals import ClosedJournals
from analytics.engine.position import EnginePosition, SavedPosition
from analytics.engine.repeats import names_of, to_fold_again
from analytics.engine.seen import SeenRecords
from analytics.engine.tasks import Extent, Extents, FoldTask, Names, Summary
from analytics.errors import AnalyticsError, Unavailable
from analytics.rebuild.dates import add_dates
from analytics.rebuild.gaps import Gap, complete_from, gaps
from analytics.rebuild.group import spout_topics, upstream
from analytics.rebuild.journals import JournalInfo
from analytics.rebuild.selection import Selection, span
from analytics.runtime import engine_changes
from analytics.runtime.declarations import Declarations
from analytics.runtime.horizons import Horizons
from analytics.store import Store

PORTION_BYTES = 64 << 20
"""Of journals, for a portion of the documents: what a process has in memory at once is some fraction of it."""

BLOCKS_AT_ONCE = 4
"""For each process, before repeats among them are looked for."""

FEW_RECORDS = 100
"""That no batch has counted: more, and more than a twentieth of all, are a sign of a fault."""

MOST_STARTS = 1_000_000
"""More changed periods are not listed: then timers take it that anything may have changed."""


@dataclass
class BackfillResult:
    """What a backfill did.

    Attributes:
        journals, lines: how many were read.
        gaps: records that no journal holds any more, or that can't be read.
        unmapped: record sources with lines that can't be read, each with the configured source whose mapping is gone.
        uncounted: records that no batch had counted, as they were none by the configuration of that time. They count now if this was
            ``whole``: of all bolts, areas and days.
        derived: what became of documents.
        removed, spared: by bolt, documents that no record supports, and that were removed or, as they are many, left alone.
        dated: documents that no journal covers, and that got nothing but their dates.
    """

    journals: int = 0
    lines: int = 0
    gaps: list[Gap] = field(default_factory=list)
    unmapped: dict[str, str] = field(default_factory=dict)
    uncounted: int = 0
    whole: bool = False
    dated: int = 0
    derived: DerivedPortion = field(default_factory=DerivedPortion)
    removed: Counter[str] = field(default_factory=Counter)
    spared: Counter[str] = field(default_factory=Counter)


class Backfill:
    """One call of ``analytics engine backfill``.

    Args:
        engine: runs the tasks.
        shared: the folder of the journals.
        wanted: bolts, area and days; no more of it.
        say: called with the step that begins.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        engine: BatchEngine,
        shared: Path,
        wanted: Selection,
        say: Callable[[str], None],
    ) -> None:
        self._config = config
        self._store = store
        self._shared = shared
        self._wanted = wanted
        self._say = say
        self._bolts = running_bolts(config)
        self._areas = areas(config)
        self._engine = engine
        self._seen = SeenRecords(store)
        self._block_bytes = int(config.engine.block_mb * 1e6)

    def run(self) -> BackfillResult:
        """Derive documents. Raise AnalyticsError if a batch is not finished, or a driver has gone on.

        Raise Unavailable if the store does not answer: what was corrected stays so; call it again.
        """
        result = BackfillResult(whole=self._is_whole)
        hold = Hold(EnginePosition(self._store))
        self._say("waiting for the batch that is under way")
        saved = hold.begin()
        try:
            self._engine.start(task_context(self._config, self._shared, saved.log))
            with self._engine.scratch() as folder:
                self._derive(saved, hold, folder, result)
            self._release(hold, saved, result)
        finally:
            self._engine.close()
            hold.end()
        return result

    def _release(self, hold: Hold, saved: SavedPosition, result: BackfillResult) -> None:
        """Let timers know of what has changed, and batches go on."""
        hold.check()
        starts = result.derived.starts
        if not (result.derived.repeated or result.removed) and sum(map(len, starts.values())) <= MOST_STARTS:
            changes = [(bolt, area, sorted(some)) for (bolt, area), some in starts.items()]
            engine_changes.write(self._store, saved.batch + 1, changes)
        everything = self._is_of_all_days and not result.derived.refused
        if everything and not result.gaps:
            Declarations(self._config, self._store).note_rebuilt(self._wanted.bolts)
        hold.end(repaired=everything and self._is_whole)

    @property
    def _is_of_all_days(self) -> bool:
        return not (self._wanted.area or self._wanted.since or self._wanted.until)

    @property
    def _is_whole(self) -> bool:
        """Whether every document is derived again."""
        return self._is_of_all_days and {*self._wanted.bolts} >= {*self._bolts}

    def _derive(self, saved: SavedPosition, hold: Hold, folder: Path, result: BackfillResult) -> None:
        ends = {**ClosedJournals(self._store).ends(), **saved.ends}
        journals = self._journals(ends)
        size = sum(ends[name] for name in journals)
        names = [name for name in self._wanted.bolts if name in self._bolts]
        spans = {
            area.id: span(self._wanted, area)
            for area in self._areas.values()
            if self._wanted.area in ("", area.id)
        }
        wanted = DerivationScope(
            frozenset(names), frozenset({*upstream(self._bolts, names)} - {*names}), spans, {},
            max(self._engine.tasks, 1 + size // PORTION_BYTES), saved.batch,
        )  # fmt: skip
        self._say(f"reading {len(journals)} journals")
        accepted = self._seen.everything()
        extents, found = self._fold(ends, journals, wanted, hold, folder, accepted, result)
        result.journals = len(journals)
        result.gaps = gaps(self._config, accepted, found, journals.values(), result.unmapped)
        wanted = replace(
            wanted, low=self._low(names, spans, result.gaps), horizons=self._horizons(names, spans)
        )
        self._say("deriving documents")
        for number, level in enumerate(levels(self._bolts, [*wanted.sources, *names])):
            calls = [
                TaskCall(
                    derive,
                    (wanted, level, some, str(folder / f"level{number}.{portion}")),
                    f"deriving {', '.join(sorted(level))}",
                )
                for portion, some in sorted(extents.items())
            ]
            for _, derived in self._engine.each(calls):
                hold.check()
                result.derived.add(derived)
                for portion, extent in derived.extents.items():
                    extents.setdefault(portion, []).append(extent)
        if not (self._wanted.since or self._wanted.until or result.derived.refused):
            extra = ExtraDocuments(self._store, wanted, result.derived, self._wanted.remove_many)
            extra.remove()
            result.removed, result.spared = extra.removed, extra.spared
        hold.check()
        result.dated = sum(
            add_dates(self._store, self._areas, self._bolts[name], area, *spans[area], low)
            for (name, area), low in wanted.low.items()
            if low and name in wanted.bolts
        )

    def _fold(
        self,
        ends: Mapping[str, int],
        journals: Mapping[str, JournalInfo],
        wanted: DerivationScope,
        hold: Hold,
        folder: Path,
        accepted: dict[str, NumberSet],
        result: BackfillResult,
    ) -> tuple[dict[int, list[Extent]], dict[str, NumberSet]]:
        """Fold journals; return by portion where deltas lie, and per source the records that there are.

        ``accepted``: per source the records that count, see :meth:`_take_uncounted`.
        """
        extents: dict[int, list[Extent]] = {}
        taken: dict[str, Intervals] = {}
        found: dict[str, NumberSet] = {}
        left, turn, now = self._blocks(ends, journals), 0, int(time.time())
        while blocks := list(islice(left, BLOCKS_AT_ONCE * self._engine.tasks)):
            turn += 1
            hold.check()
            self._check_room(folder)
            tasks = [FoldTask(block, now) for block in blocks]
            replies = self._folded(dict(enumerate(tasks)), wanted, folder, f"{turn}.0")
            summaries = [replies[place][0] for place in range(len(tasks))]
            self._take_uncounted(names_of(summaries), accepted, taken, result)
            if again := to_fold_again(tasks, summaries, taken):
                replies |= self._folded(again, wanted, folder, f"{turn}.1")
            for summary, divided in replies.values():
                result.lines += summary.lines
                result.unmapped |= summary.unmapped
                for source, pairs in summary.unused.items():
                    found.setdefault(source, NumberSet()).update(pairs)
                for source, pairs in summary.names.items():
                    taken.setdefault(source, Intervals()).update(pairs)
                for portion, extent in divided.items():
                    extents.setdefault(portion, []).append(extent)
        for source, some in taken.items():
            found.setdefault(source, NumberSet()).update(some)
        if not self._is_whole and result.uncounted > max(FEW_RECORDS, result.lines // 20):
            raise AnalyticsError(
                f"{result.uncounted:,} of {result.lines:,} journaled records are not known as counted: were documents of engine_seen "
                "deleted, or was a mapping changed? Nothing was changed. Call this for all bolts, areas and days: then they count"
            )
        return extents, found

    def _take_uncounted(
        self,
        names: Names,
        accepted: dict[str, NumberSet],
        taken: dict[str, Intervals],
        result: BackfillResult,
    ) -> None:
        """Decide about records that batches passed over, as they were none by the configuration of that time.

        If every document is derived again, they count from now on; otherwise they stay out of all documents, as if they were taken.
        """
        uncounted = _uncounted(names, accepted)
        if self._is_whole:
            # Before they are in any document: if they come in again, they are repeats.
            self._seen.add(uncounted)
        for source, pairs in uncounted.items():
            result.uncounted += sum(last - first + 1 for first, last in pairs)
            accepted.setdefault(source, NumberSet()).update(pairs)
            if not self._is_whole:
                taken.setdefault(source, Intervals()).update(pairs)

    def _check_room(self, folder: Path) -> None:
        """Raise AnalyticsError where the disk has no room for deltas."""
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < self._config.broker.min_free_mb * (1 << 20):
            raise AnalyticsError(
                f"the disk of {folder} is nearly full, and a backfill keeps there what it derives documents from: a tenth of the "
                "journals, for many bolts more. Make room, or derive fewer days at a time with --from and --to"
            )

    def _folded(
        self, tasks: Mapping[int, FoldTask], wanted: DerivationScope, folder: Path, turn: str
    ) -> dict[int, tuple[Summary, Extents]]:
        places = {str(folder / f"fold{turn}.{place}"): place for place in tasks}
        calls = [
            TaskCall(fold_again, (tasks[place], wanted, path), tasks[place].block.journal)
            for path, place in places.items()
        ]
        return {places[call.arguments[-1]]: reply for call, reply in self._engine.each(calls)}

    def _blocks(self, ends: Mapping[str, int], journals: Mapping[str, JournalInfo]) -> Iterator[JournalBlock]:
        """Yield all that is counted of the journals, oldest first. A gzipped one is one block: each reads it from its beginning."""
        for name in sorted(journals, key=age):
            size = ends[name] if journals[name].zipped else self._block_bytes
            for begin in range(0, ends[name], max(1, size)):
                yield JournalBlock(name, begin, min(begin + size, ends[name]))

    def _journals(self, ends: Mapping[str, int]) -> dict[str, JournalInfo]:
        """Return those journals that are still there."""
        found = {}
        for name in ends:
            path = self._shared / name
            for one in (path, path.with_name(path.name + ".gz")):
                try:
                    status = one.stat()
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise Unavailable(f"the shared folder {self._shared} can't be read: {error}") from error
                spout = path.name.partition("_")[0]
                found[name] = JournalInfo(one, spout, status.st_size, status.st_mtime)
                break
        return found

    def _low(
        self, names: list[str], spans: Mapping[str, object], missing: list[Gap]
    ) -> dict[tuple[str, str], int]:
        """Return per bolt and area from when on all records are there; nothing where all are."""
        found = {
            (name, area): complete_from(missing, self._areas[area], spout_topics(self._bolts, [name]))
            for name in names
            for area in (spans if missing else ())
        }
        return {key: low for key, low in found.items() if low}

    def _horizons(self, names: list[str], spans: Iterable[str]) -> dict[tuple[str, str], int]:
        """Return per bolt and area from when on documents are kept, where some were dropped."""
        horizons = Horizons.load(self._store, names)
        if horizons.until:
            self._say(
                f"documents of {', '.join(horizons.until)} that documents.keep_days has dropped are not derived again"
            )
        return {
            (name, area): horizons.first(self._bolts[name], self._areas[area].zone)
            for name in horizons.until
            for area in spans
        }


def _uncounted(names: Names, accepted: Mapping[str, NumberSet]) -> Names:
    """Return the records of ``names`` that do not count yet."""
    found = {
        source: [pair for first, last in pairs for pair in accepted[source].missing(first, last)]
        if source in accepted
        else pairs
        for source, pairs in names.items()
    }
    return {source: pairs for source, pairs in found.items() if pairs}
