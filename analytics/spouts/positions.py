"""How far the gamelog spout has come: one JSON file, replaced atomically, written on acknowledgement."""

import os
import time
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from analytics.errors import AnalyticsError

SAVING_SHARE = 0.02
"""Of the time, what saving may take before it waits longer in between: positions of years of logs are many."""


class Position(msgspec.Struct):
    """A place in a stream of lines.

    ``n`` lines, ``offset`` bytes of it (unpacked, where it is gzipped), lie before it. ``head`` are checksums of
    the stream's first lines, ``marks`` those at some offsets (see ``sources.stream``): both may speak of bytes
    that were read and not accepted yet. ``open``: the last line has no newline yet; one that follows belongs to it.
    """

    fingerprint: str
    n: int = 0
    offset: int = 0
    marks: list[tuple[int, int]] = []
    open: bool = False
    head: bytes = b""

    def with_marks(self, other: "Position") -> "Position":
        """Return this position with what ``other`` says of the stream's bytes, too."""
        marks = sorted({*self.marks, *(mark for mark in other.marks if mark[0] > self.offset)})
        return replace(self, marks=marks, head=max(self.head, other.head, key=len))


class State(msgspec.Struct):
    """What the spout must know after a crash.

    ``sources``: per record source, the accepted position. ``journal``: per file, the accepted byte. ``looked``: per
    configured source of files, Unix seconds: every file that was there then has a record source or was passed over;
    ``first``: when the source was first looked at.
    """

    sources: dict[str, Position] = {}
    journal: dict[str, int] = {}
    looked: dict[str, float] = {}
    first: dict[str, float] = {}


S = TypeVar("S", bound=msgspec.Struct)


class StateFile:
    """A JSON file of one value that is always whole: it is written beside itself and moved over."""

    def __init__(self, path: Path, every: float = 0.5) -> None:
        self._path = path
        self._every = self._pause = every
        self._saved = 0.0

    def load(self, kind: type[S]) -> S:
        """Return the saved value, or a new one. Raise AnalyticsError where the file holds something else."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=kind)
        except FileNotFoundError:
            return kind()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AnalyticsError(
                f"{self._path}: expected the positions that the spout wrote, got something else ({error}). "
                "Move the file away and start again: everything is read anew and repeats are dropped"
            ) from error

    def save(self, value: msgspec.Struct, now: bool = False) -> bool:
        """Write ``value`` if the last write is long enough ago, or ``now``. Return whether it was written."""
        began = time.monotonic()
        if not now and began - self._saved < self._pause:
            return False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(self._path.name + ".new")
        with beside.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(value)))
            file.flush()
            os.fdatasync(file.fileno())
        beside.replace(self._path)
        self._saved = time.monotonic()
        self._pause = max(self._every, (self._saved - began) / SAVING_SHARE)
        return True
