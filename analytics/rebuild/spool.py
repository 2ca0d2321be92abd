"""Records between the journals and the derivation of their area-days, in one file, found by area and day.

The file has no name, so nothing of it is left however the process ends.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from analytics.errors import AnalyticsError

IN_MEMORY = 32 << 20
OF_A_LINE = 100


@dataclass(frozen=True, slots=True)
class _Extent:
    topic: str
    later: bool
    offset: int
    size: int


class Spool:
    """Keeps lines by area and day. ``min_free``: bytes of the disk that are left alone."""

    def __init__(self, folder: Path, min_free: int) -> None:
        self._folder = folder
        self._min_free = min_free
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._end = 0
        self._waiting: dict[tuple[str, int, str, bool], list[bytes]] = {}
        self._bytes = 0
        self._chunks: dict[str, dict[int, list[_Extent]]] = {}

    def add(self, area: str, day: int, topic: str, text: bytes, number: int = 0) -> None:
        """Keep a line; ``number`` is that of its message where it came after the cut."""
        line = b"%d %b" % (number, text) if number else text
        self._waiting.setdefault((area, day, topic, number > 0), []).append(line)
        self._bytes += len(line) + OF_A_LINE
        if self._bytes >= IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Bring everything to the file. Raise AnalyticsError where the disk has no room for it."""
        disk = os.statvfs(self._folder)
        if self._waiting and disk.f_bavail * disk.f_frsize < self._bytes + self._min_free:
            raise AnalyticsError(
                f"the disk of {self._folder} is nearly full, and a rebuild needs as much room as the journals' records of "
                "its days. Make room, or rebuild fewer days at a time with --from and --to"
            )
        for (area, day, topic, later), lines in self._waiting.items():
            body = b"\n".join(lines)
            self._file.write(body)
            chunk = _Extent(topic, later, self._end, len(body))
            self._chunks.setdefault(area, {}).setdefault(day, []).append(chunk)
            self._end += len(body)
        self._file.flush()
        self._waiting.clear()
        self._bytes = 0

    def sizes(self, area: str) -> dict[int, int]:
        """Return the days of which there are records, and their bytes."""
        self.flush()
        return {
            day: sum(one.size for one in chunks) for day, chunks in sorted(self._chunks.get(area, {}).items())
        }

    def read(self, area: str, days: Iterable[int]) -> Iterator[tuple[str, int, bytes]]:
        """Yield topic, number of the message (0: before the cut) and lines of an area's days.

        What comes in after the call is not among them.
        """
        self.flush()
        of = self._chunks.get(area, {})
        return self._bodies([chunk for day in days for chunk in of.get(day, ())])

    def _bodies(self, chunks: list[_Extent]) -> Iterator[tuple[str, int, bytes]]:
        for chunk in chunks:
            body = os.pread(self._file.fileno(), chunk.size, chunk.offset)
            if not chunk.later:
                yield chunk.topic, 0, body
                continue
            named = (line.partition(b" ") for line in body.split(b"\n"))
            for number, some in groupby(named, key=lambda parts: parts[0]):
                yield chunk.topic, int(number), b"\n".join(text for _, _, text in some)

    def close(self) -> None:
        self._file.close()
