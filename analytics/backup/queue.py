"""The Queue's segments, held so that they can be copied although the broker deletes them meanwhile."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from analytics.broker.records import SegmentHead, scan
from analytics.errors import AnalyticsError, Unavailable


class Segments:
    """Holds every segment that there has been since it was made, as long as :meth:`hold` is called often."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        self.hold()
        self._first = max(self._held, default="")

    def hold(self) -> None:
        """Open new segments: an open file is there until it is closed, even if its name is deleted."""
        for path in sorted(self._folder.glob("*.log")):
            if path.name not in self._held:
                with suppress(
                    FileNotFoundError
                ):  # deleted since it was listed; that it is missing shows below
                    self._held[path.name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def copy(self, copy: Callable[[str, int], None]) -> str:
        """Call ``copy`` with the name and the open file of each segment, oldest first. Return the log's identity.

        Raise Unavailable if a segment was deleted before it was held.
        """
        self.hold()
        log, before = "", 0
        for name, fd in sorted(self._held.items()):
            head = _head(self._folder / name, fd)
            if log not in ("", head.log) or (name > self._first and head.previous != before):
                raise Unavailable(
                    f"{self._folder}: segments were deleted faster than they could be copied; back up again, "
                    "with a larger broker.keep_hours"
                )
            log, before = head.log, int(name.partition(".")[0])
            copy(name, fd)
        return log

    def close(self) -> None:
        for fd in self._held.values():
            os.close(fd)
        self._held = {}


def _head(path: Path, fd: int) -> SegmentHead:
    record = next(scan(fd, 0, os.fstat(fd).st_size), None)
    if record is None or not isinstance(record.header, SegmentHead):
        raise AnalyticsError(
            f"{path} does not begin with its head record: look at the broker's `status` first"
        )
    return record.header
