"""What runs the tasks of a batch: processes of this host, or a cluster."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from analytics.engine.context import Context
from analytics.engine.extents import DeltasLost, fold_block, settle_extents
from analytics.engine.tasks import AreaSettled, Extent, Extents, FoldTask, Summary
from analytics.errors import AnalyticsError, Unavailable


@dataclass(frozen=True, slots=True)
class TaskCall:
    """A task: a function of a module, which gets its process first and then these arguments. ``name`` is for messages."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    name: str


class BatchEngine(Protocol):
    """Runs the tasks of one batch after the other, or of a backfill.

    Attributes:
        tasks: how many run at a time.
        portions: of the areas, each of which is settled in one task.
        shuffled_bytes: of deltas that were written since the start.
    """

    tasks: int
    portions: int
    shuffled_bytes: int

    def start(self, context: Context) -> None:
        """Make ready. Raise Unavailable if the cluster does not answer."""

    def fold(self, number: int, tasks: Sequence[FoldTask]) -> "FoldedBatch":
        """Fold every block as part of batch ``number``.

        Raises:
            Uncountable: a journal or a mapping is missing; see :func:`analytics.engine.fold.fold`.
            Unavailable: the cluster does not answer, or the shared folder is away.
        """
        return FoldedBatch(self, number, tasks)

    def each(self, calls: Sequence[TaskCall]) -> Iterator[tuple[TaskCall, Any]]:
        """Yield calls with their results, in any order. A call may run several times, also at the same time.

        Raise Unavailable if the cluster does not answer, or what a task raised, an AnalyticsError; others may have run.
        """
        for place, outcome in self.outcomes(dict(enumerate(calls))):
            if isinstance(outcome, AnalyticsError):
                raise outcome
            yield calls[place], outcome

    def outcomes(self, calls: Mapping[int, TaskCall], at_home: bool = False) -> Iterable[tuple[int, Any]]:
        """Return what calls come to, in any order: a result, or the AnalyticsError that one raised. After that, some may be missing.

        ``at_home``: a call is best done by the process that has done the one of the same number before, if that is possible.
        Raise Unavailable if the cluster does not answer.
        """

    def folder(self, number: int) -> Path:
        """Return the folder for a batch's deltas. Raise Unavailable if the shared folder is away."""

    def scratch(self) -> AbstractContextManager[Path]:
        """Make a folder that every task reaches, for files of tasks; it is removed at the end."""

    def state(self) -> dict[str, object]:
        """Return what ``status`` shows: ``tasks_lost`` and ``shuffled_bytes`` of deltas since the start, ``executors`` now, ``error``."""

    def close(self) -> None:
        """Let go of everything."""


class FoldedBatch:
    """Blocks of a batch as they are folded: deltas lie in files until :meth:`close`; where those are lost, blocks are folded again."""

    def __init__(self, engine: BatchEngine, number: int, tasks: Sequence[FoldTask]) -> None:
        self._engine = engine
        self._number = number
        self._tasks = dict(enumerate(tasks))
        self._folded: dict[int, tuple[Summary, Extents]] = {}
        self._settled: dict[int, list[AreaSettled]] = {}
        self._folder: Path | None = None
        self._fold(self._tasks)

    @property
    def summaries(self) -> Sequence[Summary]:
        """What each task has found, in the order of the tasks."""
        return [self._folded[place][0] for place in self._tasks]

    def again(self, tasks: Mapping[int, FoldTask]) -> None:
        """Fold these blocks, by index, once more; what was folded of them before is dropped."""
        self._tasks |= tasks
        self._fold(tasks)

    def settle(self) -> Iterator[AreaSettled]:
        """Settle every portion of the areas that is not settled yet, each in one task; yield all areas.

        Call again after Unavailable: what is done already changes nothing.

        Raises:
            Unavailable: the store does not answer, or deltas were lost.
            LostWrites: the store holds less than it had acknowledged.
        """
        extents: dict[int, list[Extent]] = {}
        for _, some in self._folded.values():
            for portion, extent in some.items():
                if portion not in self._settled:
                    extents.setdefault(portion, []).append(extent)
        calls = {
            portion: TaskCall(settle_extents, (self._number, some), "settling areas")
            for portion, some in extents.items()
        }
        failed = []
        for portion, outcome in self._engine.outcomes(calls, at_home=True):
            if isinstance(outcome, AnalyticsError):
                failed.append(outcome)
            else:
                self._settled[portion] = outcome
        if any(isinstance(error, DeltasLost) for error in failed):
            self._fold(self._tasks)
        if failed:
            # One that no retry changes comes first.
            raise min(failed, key=lambda error: isinstance(error, Unavailable))
        for areas in self._settled.values():
            yield from areas

    def close(self) -> None:
        """Drop the deltas."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _fold(self, tasks: Mapping[int, FoldTask]) -> None:
        self._folder = folder = self._engine.folder(self._number)
        portions = self._engine.portions
        calls = {
            place: TaskCall(
                fold_block, (task, self._number, portions, str(folder / str(place))), task.block.journal
            )
            for place, task in tasks.items()
        }
        for place, outcome in self._engine.outcomes(calls):
            if isinstance(outcome, AnalyticsError):
                self.close()
                raise outcome
            self._folded[place] = outcome
            self._engine.shuffled_bytes += sum(extent.size for extent in outcome[1].values())
