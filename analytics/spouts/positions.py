"""How far the gamelog spout has come: one JSON file, replaced atomically, written on acknowledgement."""

import time
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from analytics import sealed

SAVING_SHARE = 0.02
"""Of the time, what saving may take before it waits longer in between: positions of years of logs are many."""


class StreamPosition(msgspec.Struct):
    """A place in a stream of lines.

    ``n`` lines, ``offset`` bytes of it (unpacked, where it is gzipped), lie before it. ``head`` are checksums of
    the stream's first lines, ``marks`` those at some offsets (see ``sources.stream``): both may concern bytes
    that were read and not accepted yet. ``open``: the last line has no newline yet; one that follows belongs to it.
    ``header``: the first line, where it names the columns of the others.
    """

    fingerprint: str
    n: int = 0
    offset: int = 0
    marks: list[tuple[int, int]] = []
    open: bool = False
    head: bytes = b""
    header: str = ""

    def with_marks(self, other: "StreamPosition") -> "StreamPosition":
        """Return this position with what ``other`` says of the stream's bytes, too."""
        marks = sorted({*self.marks, *(mark for mark in other.marks if mark[0] > self.offset)})
        return replace(
            self, marks=marks, head=max(self.head, other.head, key=len), header=self.header or other.header
        )


class SpoutState(msgspec.Struct):
    """What the spout must know after a crash.

    ``sources``: per record source, the accepted position. ``journal``: per file, the accepted byte. ``looked``: per
    configured source of files, Unix seconds: every file that was there then has a record source or was passed over;
    ``first``: when the source was first looked at. ``sizes``: per record source that is not read to its end, the bytes that
    were seen of it.
    """

    sources: dict[str, StreamPosition] = {}
    journal: dict[str, int] = {}
    looked: dict[str, float] = {}
    first: dict[str, float] = {}
    sizes: dict[str, int] = {}


S = TypeVar("S", bound=msgspec.Struct)


class StateFile:
    """A JSON file of one value that is always whole, and notices where it was damaged: see :mod:`analytics.sealed`."""

    def __init__(self, path: Path, every: float = 0.5) -> None:
        self._path = path
        self._every = self._pause = every
        self._saved = 0.0

    def load(self, kind: type[S]) -> S:
        """Return the saved value, or a new one. Raise StateError where it is damaged, and the one before it, too.

        A value that was saved earlier takes nothing but time: what is read again is dropped as repeated.
        """
        found = sealed.read(self._path, msgspec.json.Decoder(kind).decode)
        return kind() if found is None else found[0]

    def save(self, value: msgspec.Struct, now: bool = False) -> bool:
        """Write ``value`` if the last write is long enough ago, or ``now``. Return whether it was written."""
        began = time.monotonic()
        if not now and began - self._saved < self._pause:
            return False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        sealed.write(self._path, msgspec.json.format(msgspec.json.encode(value)))
        self._saved = time.monotonic()
        self._pause = max(self._every, (self._saved - began) / SAVING_SHARE)
        return True
