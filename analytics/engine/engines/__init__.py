"""What runs the tasks of a batch: processes of this host, or a cluster."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from analytics.engine.context import Context
from analytics.engine.tasks import AreaSettled, FoldTask, Summary


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
    """Runs the tasks of one batch after the other. Only :mod:`analytics.engine.live` calls it."""

    def start(self, context: Context) -> None:
        """Make ready. Raise Unavailable if the cluster does not answer."""

    @property
    def tasks(self) -> int:
        """How many run at a time."""

    def fold(self, number: int, tasks: Sequence[FoldTask]) -> FoldedBatch:
        """Fold every block as part of batch ``number``.

        Raises:
            Uncountable: a journal or a mapping is missing; see :func:`analytics.engine.fold.fold`.
            Unavailable: the cluster does not answer, or the shared folder is away.
        """

    def state(self) -> dict[str, object]:
        """Return what ``status`` shows: ``tasks_lost`` since the start, ``executors`` now, ``error``."""

    def close(self) -> None:
        """Let go of everything."""
