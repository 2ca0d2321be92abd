"""What a rebuild has begun: the documents whose tuples are published once more if it dies before they are in the Queue.

Before documents are written, a file lists them; it is emptied when their tuples are in the Queue.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec

from analytics.spouts.positions import StateFile
from analytics.system.locks import FileLock


class Unfinished(msgspec.Struct):
    """What a rebuild has begun. ``tuples``: per bolt, documents whose tuples may not be in the Queue.

    ``timers``: whether timer bolts have still to be looked at.
    """

    tuples: dict[str, list[str]] = {}
    timers: bool = False


class Notes:
    """Keeps what is unfinished in a file; without a path only in memory."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else StateFile(path, every=0)
        self.unfinished = Unfinished() if self._file is None else self._file.load(Unfinished)

    def begin(self, bolt: str, ids: Iterable[str], timers: bool) -> None:
        """Note that documents of a bolt that publishes are about to be written or removed.

        ``timers``: whether timer bolts look at them, more than to add them up.
        """
        kept = self.unfinished.tuples
        kept[bolt] = sorted({*kept.get(bolt, ()), *ids})
        self.unfinished.timers |= timers
        self._save()

    def published(self, bolt: str) -> None:
        """Note that a bolt's tuples are in the Queue."""
        self.unfinished.tuples.pop(bolt, None)
        self._save()

    def timers_done(self) -> None:
        """Note that timer bolts have been looked at."""
        if self.unfinished.timers:
            self.unfinished.timers = False
            self._save()

    def _save(self) -> None:
        if self._file is not None:
            self._file.save(self.unfinished, now=True)


def alone(data: Path, dry: bool) -> AbstractContextManager[object]:
    """Keep a second rebuild that writes away."""
    if dry:
        return nullcontext()
    return FileLock(data / "state" / "rebuild.lock", "another rebuild runs: wait until it ends")
