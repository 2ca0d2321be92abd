"""Backfill: documents are derived again from the journals, between two batches.

    held ──▶ journals folded up to the last batch ──▶ derived, bolt after bolt ──▶ those that differ written ──▶ released
     │ batches stop; spouts go on                                                             what has changed is a batch of its own

The last batch is the cut: the records before it are those of the journals up to the saved ends, each once, and a document is
complete to its number. So documents can be compared exactly. Each is written on condition of the version that was compared:
if a driver goes on since this process was taken for gone, what it has written stays.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from secrets import token_hex

from analytics.config import Config, areas
from analytics.core.intervals import Intervals
from analytics.core.numberset import NumberSet
from analytics.engine.blocks import JournalBlock
from analytics.engine.context import Context, running_bolts
from analytics.engine.deriving import DerivationScope, DerivedPortion, derive, fold_again, levels
from analytics.engine.engines.local import LocalEngine, TaskCall, own_folder
from analytics.engine.plan import age
from analytics.engine.position import HELD_SECONDS, DriverOvertaken, EnginePosition, SavedPosition
from analytics.engine.repeats import to_fold_again
from analytics.engine.seen import SeenRecords
from analytics.engine.tasks import Extent, Extents, FoldTask, Summary
from analytics.errors import AnalyticsError, Unavailable
from analytics.rebuild.gaps import Gap, complete_from, gaps
from analytics.rebuild.group import spout_topics, upstream
from analytics.rebuild.journals import JournalInfo
from analytics.rebuild.selection import Selection, span
from analytics.runtime import engine_changes
from analytics.runtime.declarations import Declarations
from analytics.store import Store

PORTION_BYTES = 64 << 20
"""Of journals, for a portion of the documents: what a process has in memory at once is some fraction of it."""

BLOCKS_AT_ONCE = 4
"""For each process, before repeats among them are looked for."""

MOST_STARTS = 1_000_000
"""More changed periods are not listed: then timers take it that anything may have changed."""

RENEW_SECONDS = HELD_SECONDS / 6


@dataclass
class BackfillResult:
    """What a backfill did: journals and their lines, records that no journal holds any more, and what became of documents."""

    journals: int = 0
    lines: int = 0
    gaps: list[Gap] = field(default_factory=list)
    derived: DerivedPortion = field(default_factory=DerivedPortion)


class Backfill:
    """One call of ``analytics engine backfill``.

    Args:
        shared: the folder of the journals.
        wanted: bolts, area and days; no more of it.
        say: called with the step that begins.
    """

    def __init__(
        self, config: Config, store: Store, shared: Path, wanted: Selection, say: Callable[[str], None]
    ) -> None:
        self._config = config
        self._store = store
        self._shared = shared
        self._wanted = wanted
        self._say = say
        self._bolts = running_bolts(config)
        self._areas = areas(config)
        self._engine = LocalEngine(config.engine.tasks)
        self._block_bytes = int(config.engine.block_mb * 1e6)

    def run(self) -> BackfillResult:
        """Derive documents.

        Raises:
            Unavailable: the store does not answer. What was corrected stays so; call it again.
            AnalyticsError: a batch is not finished, or a driver has gone on.
        """
        result = BackfillResult()
        hold = _Hold(EnginePosition(self._store))
        self._say("waiting for the batch that is under way")
        saved = hold.begin()
        folder = own_folder(self._config.data / "engine")
        try:
            self._engine.start(Context(self._config, self._shared, saved.log, "", token_hex(8)))
            self._derive(saved, hold, folder, result)
            self._release(hold, saved, result)
        finally:
            self._engine.close()
            shutil.rmtree(folder, ignore_errors=True)
            hold.end()
        return result

    def _release(self, hold: "_Hold", saved: SavedPosition, result: BackfillResult) -> None:
        """Let timers know of what has changed, and batches go on."""
        hold.check()
        starts = result.derived.starts
        if sum(map(len, starts.values())) <= MOST_STARTS:
            changes = [(bolt, area, sorted(some)) for (bolt, area), some in starts.items()]
            engine_changes.write(self._store, saved.batch + 1, changes)
        wanted = self._wanted
        everything = not (wanted.area or wanted.since or wanted.until or result.derived.refused)
        if everything and not result.gaps:
            Declarations(self._config, self._store).note_rebuilt(wanted.bolts)
        hold.end(repaired=everything and {*wanted.bolts} >= {*self._bolts})

    def _derive(self, saved: SavedPosition, hold: "_Hold", folder: Path, result: BackfillResult) -> None:
        journals = self._journals(saved.ends)
        size = sum(saved.ends[name] for name in journals)
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
        extents, found = self._fold(saved.ends, journals, wanted, hold, folder, result)
        result.journals = len(journals)
        accepted = SeenRecords(self._store).everything()
        result.gaps = gaps(self._config, accepted, found, journals.values())
        wanted = replace(wanted, low=self._low(names, spans, result.gaps))
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
            for _, derived in self._engine.run(self._engine.divided(calls)):
                hold.check()
                result.derived.add(derived)
                for portion, extent in derived.extents.items():
                    extents.setdefault(portion, []).append(extent)

    def _fold(
        self,
        ends: Mapping[str, int],
        journals: Mapping[str, JournalInfo],
        wanted: DerivationScope,
        hold: "_Hold",
        folder: Path,
        result: BackfillResult,
    ) -> tuple[dict[int, list[Extent]], dict[str, NumberSet]]:
        """Fold journals; return by portion where deltas lie, and per source the records that there are."""
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
            if again := to_fold_again(tasks, summaries, taken):
                replies |= self._folded(again, wanted, folder, f"{turn}.1")
            for summary, divided in replies.values():
                result.lines += summary.lines
                for source, pairs in summary.unused.items():
                    found.setdefault(source, NumberSet()).update(pairs)
                for source, pairs in summary.names.items():
                    taken.setdefault(source, Intervals()).update(pairs)
                for portion, extent in divided.items():
                    extents.setdefault(portion, []).append(extent)
        for source, some in taken.items():
            found.setdefault(source, NumberSet()).update(some)
        return extents, found

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
        return {
            places[call.arguments[-1]]: reply for call, reply in self._engine.run(self._engine.divided(calls))
        }

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


class _Hold:
    """Stops batches, and says so again and again, in a thread of its own."""

    def __init__(self, position: EnginePosition) -> None:
        self._position = position
        self._by = token_hex(8)
        self._ending = threading.Event()
        self._saved: SavedPosition | None = None
        self._error: Exception | None = None

    def begin(self) -> SavedPosition:
        """Return the position when no batch is under way any more, and none begins."""
        seen, since = -1, time.monotonic()
        while True:
            saved = self._position.load()
            if not (saved.frozen or saved.held):
                try:
                    self._saved = self._position.hold(saved, self._by)
                    break
                except DriverOvertaken:
                    continue
            if saved.version != seen:
                seen, since = saved.version, time.monotonic()
            if time.monotonic() - since > 2 * HELD_SECONDS:
                raise AnalyticsError(
                    f"batch {saved.batch + 1} of the engine has begun, and nobody finishes it: start the node engine, see "
                    "`bin/analytics status`, and call this again"
                )
            self._ending.wait(0.2)
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()
        return self._saved

    def check(self) -> None:
        """Raise AnalyticsError if batches go on."""
        if isinstance(self._error, DriverOvertaken):
            raise AnalyticsError(
                "a driver of the engine has gone on, as this process did not answer for a minute. Documents that were "
                "corrected stay so; call this again"
            )

    def end(self, repaired: bool = False) -> None:
        """Let batches go on, if they do not. ``repaired``: whether all documents are as right as the journals allow, whatever the store had lost."""
        if self._saved is None or self._ending.is_set():
            return
        self._ending.set()
        self._thread.join()
        if self._error is None or not isinstance(self._error, DriverOvertaken):
            saved = replace(self._saved, written={}) if repaired else self._saved
            self._position.release(saved)

    def _renew(self) -> None:
        while not self._ending.wait(RENEW_SECONDS):
            assert self._saved is not None
            try:
                self._saved = self._position.hold(self._saved, self._by)
            except DriverOvertaken as error:
                self._error = error
                return
            except Unavailable:
                self._reload()

    def _reload(self) -> None:
        """Learn whether the last write took effect."""
        try:
            saved = self._position.load()
        except Unavailable:
            return
        if saved.held == self._by:
            self._saved = saved
        else:
            self._error = DriverOvertaken()
