"""What runs the tasks of a batch: processes of this host, or a cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from analytics.engine.context import Context
from analytics.engine.tasks import AreaSettled, FoldTask, Summary


@dataclass(frozen=True, slots=True)
class TaskCall:
    """A task: a function of a module, which gets its process first and then these arguments. ``name`` is for messages."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    name: str


class FoldedBatch(Protocol):
    """Blocks of a batch as they are folded: deltas lie where they were made, until :meth:`close`."""

    @property
    def summaries(self) -> Sequence[Summary]:
        """What each task has found, in the order of the tasks."""

    def again(self, tasks: Mapping[int, FoldTask]) -> None:
        """Fold these blocks, by index, once more; what was folded of them before is dropped."""

    def settle(self) -> Iterator[AreaSettled]:
        """Settle every area, each with all of its deltas in one task; yield areas as they are done.

        Call again after Unavailable: what is done already changes nothing.

        Raises:
            Unavailable: the store does not answer.
            LostWrites: the store holds less than it had acknowledged.
        """

    def close(self) -> None:
        """Drop the deltas."""


class BatchEngine(Protocol):
    """Runs the tasks of one batch after the other, or of a backfill. ``tasks``: how many at a time."""

    tasks: int

    def start(self, context: Context) -> None:
        """Make ready. Raise Unavailable if the cluster does not answer."""

    def fold(self, number: int, tasks: Sequence[FoldTask]) -> FoldedBatch:
        """Fold every block as part of batch ``number``.

        Raises:
            Uncountable: a journal or a mapping is missing; see :func:`analytics.engine.fold.fold`.
            Unavailable: the cluster does not answer, or the shared folder is away.
        """

    def each(self, calls: Sequence[TaskCall]) -> Iterator[tuple[TaskCall, Any]]:
        """Yield calls with their results, in any order. A call may run several times, also at the same time.

        Raises:
            Unavailable: the cluster does not answer.
            AnalyticsError: what a task raised; others may have run.
        """

    def scratch(self) -> AbstractContextManager[Path]:
        """Make a folder that every task reaches, for files of tasks; it is removed at the end."""

    def state(self) -> dict[str, object]:
        """Return what ``status`` shows: ``tasks_lost`` and ``shuffled_bytes`` of deltas since the start, ``executors`` now, ``error``."""

    def close(self) -> None:
        """Let go of everything."""
