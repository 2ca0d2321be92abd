"""Which stream a file, an answer or a pipe carries: the same lines are one stream, wherever they come from.

A stream is named after its first lines. Two streams may begin alike, so a carrier is compared with those that are known: its
first lines (the head), and short stretches at a few places (marks). A log that was renamed, copied or packed keeps
its records' names. One that differs is another stream and gets a name of its own.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from typing import Protocol, runtime_checkable
from zlib import crc32

from msgspec.structs import replace

from analytics.spouts.lost import Loss
from analytics.spouts.positions import StreamPosition
from analytics.spouts.sources.stream import (
    BLANK,
    BLOCK,
    HEAD,
    LONGEST_LINE,
    NUL,
    WINDOW,
    Begun,
    HeadSums,
    ReadAt,
    Stream,
    is_record,
    marks_of,
)
from analytics.system.files import numbered

_HEADER_LINES = 8


@runtime_checkable
class Driver(Protocol):
    """What reads a stream and may be overtaken by another file that carries it, as one that replaces this one does."""

    stream: Stream | None

    def is_spent(self) -> bool:
        """Say whether it has read all that it carries, and its file is gone from its place."""
        ...


class Catalogue:
    """The streams that a data folder knows, by name, each with how far it was read.

    Args:
        known: accepted positions.
        sizes: bytes that were seen of streams which are not read to their ends; changed in place.
        others: returns those with some fingerprints that are kept elsewhere.
        alone: holds off other processes while a stream is looked for and begun.
    """

    def __init__(
        self,
        known: Mapping[str, StreamPosition],
        sizes: dict[str, int] | None = None,
        others: Callable[[list[str]], Mapping[str, StreamPosition]] = lambda fingerprints: {},
        alone: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.known: dict[str, Stream | StreamPosition] = {}
        self._alike: defaultdict[str, list[str]] = defaultdict(list)
        for name, position in known.items():
            self.put(name, position)
        self.drivers: dict[str, object] = {}
        self.sizes = {} if sizes is None else sizes
        for name in self.sizes.keys() - self.known.keys():
            del self.sizes[name]
        self.alone = alone
        self._others = others

    def position(self, name: str) -> StreamPosition:
        known = self.known[name]
        return known.position if isinstance(known, Stream) else known

    def put(self, name: str, known: Stream | StreamPosition) -> None:
        """Know a stream, as the newest."""
        if self.known.pop(name, None) is None:
            position = known.position if isinstance(known, Stream) else known
            self._alike[position.fingerprint].append(name)
        self.known[name] = known

    def idle(self, most: int) -> list[str]:
        """Return streams that are probably over, so that ``most`` are left: those that were read longest ago.

        What is being read or was not read to its end stays, and the last stream of each source.
        """
        last = {name.rpartition("@")[0]: name for name in self.known}
        busy = {*last.values(), *self.drivers, *self.sizes}
        return [name for name in self.known if name not in busy][: max(0, len(self.known) - most)]

    def forget(self, names: Iterable[str]) -> None:
        """Know streams no longer: they are kept elsewhere."""
        for name in names:
            alike = self._alike[self.position(name).fingerprint]
            alike.remove(name)
            if not alike:
                del self._alike[self.position(name).fingerprint]
            del self.known[name]

    def alike(self, lines: list[bytes]) -> list[str]:
        """Return the names of the streams that begin with these lines, or with the first of them."""
        counts = range(1, len(lines) + 1)
        # Earlier versions named streams after what followed the record on its line, too, as far as it had come.
        begins = list(
            dict.fromkeys(name(lines[:count]) for count in counts for name in (fingerprint, _digest))
        )
        for name, position in self._others(begins).items():
            if name not in self.known:
                self.put(name, position)
        return [name for begin in begins for name in self._alike.get(begin, ())]

    def find(self, read_at: ReadAt, lines: list[bytes], driver: object = None) -> str | None:
        """Return the name of the known stream that ``read_at`` carries, as far as it goes."""
        for name in self.alike(lines):
            if carries(read_at, self.position(name)) and not self._unlike(name, read_at, driver):
                return name
        return None

    def new_name(self, prefix: str, lines: list[bytes]) -> str:
        """Return a name that no stream has."""
        return next(name for name in numbered(prefix + fingerprint(lines)) if name not in self.known)

    def _unlike(self, name: str, read_at: ReadAt, driver: object) -> bool:
        """Say whether the file that carries ``name`` now holds other bytes where ``read_at`` ends."""
        other: ReadAt | None = getattr(self.drivers.get(name), "read_at", None)
        if other is None or self.drivers[name] is driver:
            return False
        position = self.position(name)
        stream: Stream | None = getattr(self.drivers[name], "stream", None)
        if not carries(other, position) or (stream is not None and not _has_seen(other, stream)):
            return False  # another log is there since, and the driver has not noticed yet
        start = 0
        for offset, _ in position.marks:
            if len(read_at(offset, 1)) == 1:
                start = offset
        mine = read_at(start, BLOCK)
        theirs = other(start, len(mine))
        shared = min(len(mine), len(theirs))
        return mine[:shared] != theirs[:shared]


class Streams:
    """The streams that one configured source reads or has read."""

    def __init__(self, name: str, catalogue: Catalogue, lines: int, begun: Begun) -> None:
        self._begun = begun
        self._prefix = f"gamelog/{name}@"
        self._lines = lines
        self._catalogue = catalogue
        self._drivers: list[object] = []
        self._alone: dict[str, float] = {}

    def names(self) -> list[str]:
        """Return all streams that began here, the one that was read last first."""
        return [name for name in reversed(self._catalogue.known) if name.startswith(self._prefix)]

    @property
    def busy(self) -> bool:
        """Whether anything here reads a stream."""
        return bool(self._drivers)

    def saw(self, name: str, size: int) -> None:
        """Note how many bytes were seen of a stream."""
        if size > self._catalogue.position(name).offset:
            self._catalogue.sizes[name] = size
        else:
            self._catalogue.sizes.pop(name, None)

    def left(self, seconds: float) -> list[str]:
        """Return the streams of which more was seen than read, and that nothing has carried for that long.

        Each is returned until ``saw`` says otherwise.
        """
        now, known = time.monotonic(), self._catalogue
        mine = [name for name in known.sizes if name.startswith(self._prefix)]
        alone = [name for name in mine if name not in known.drivers]
        self._alone = {name: self._alone.get(name, now) for name in alone}
        return [name for name, since in self._alone.items() if now - since >= seconds]

    def loss(self, name: str, reason: str) -> Loss:
        """Return the loss of what was not read of a stream, which is not expected to turn up any more."""
        position = self._catalogue.position(name)
        size = self._catalogue.sizes.get(name, position.offset)
        return Loss(
            at=time.time(), source=name, line=position.n + 1, byte=position.offset, bytes=size - position.offset,
            reason=reason,
        )  # fmt: skip

    def find(self, read_at: ReadAt, lines: list[bytes], driver: object, make: bool = True) -> Stream | None:
        """Return the stream that ``read_at`` carries, from where it was read up to.

        ``lines``: its beginning. None: the carrier holds less of a stream than was read already, or another driver reads
        it, or it carries none that is known and ``make`` is False. Looking again when it has grown is right.
        """
        name = self._catalogue.find(read_at, lines, driver)
        if name is not None:
            return self.resume(name, read_at, driver)
        return self._begin(read_at, lines, driver) if make else None

    def resume(self, name: str, read_at: ReadAt, driver: object) -> Stream | None:
        """Return the known stream ``name`` if nobody reads it and ``read_at`` carries all that was read."""
        other = self._catalogue.drivers.get(name, driver)
        if other is not driver and not (isinstance(other, Driver) and other.is_spent()):
            return None
        position = self._catalogue.position(name)
        start = max(0, position.offset - WINDOW)
        tail = read_at(start, position.offset - start)
        if len(tail) < position.offset - start:
            return None
        if crc32(tail) != dict(position.marks).get(position.offset, crc32(tail)):
            return None
        marks = [mark for mark in position.marks if mark[0] <= position.offset]
        if isinstance(other, Driver) and other is not driver:
            other.stream = None
        head = HeadSums()
        if position.offset < HEAD or not position.head:
            head = HeadSums(read_at(0, min(position.offset, HEAD)))
        longest = max(position.head, head.sums, key=len)
        return self._drive(name, replace(position, marks=marks, head=longest), driver, tail, head)

    def release(self, driver: object) -> None:
        """The driver has finished: its streams may be carried on by another."""
        self._drivers = [one for one in self._drivers if one is not driver]
        drivers = self._catalogue.drivers
        for name in [name for name, other in drivers.items() if other is driver]:
            del drivers[name]

    def abandon(self, driver: object) -> None:
        """What the driver read is no longer there: another carrier may go on after the last whole line."""
        for name, other in self._catalogue.drivers.items():
            if other is driver:
                self._catalogue.known[name] = self._catalogue.position(name)
        self.release(driver)

    def _begin(self, read_at: ReadAt, lines: list[bytes], driver: object) -> Stream | None:
        """Begin a stream, unless another process has begun one that may be the same, or its lines were replaced just now."""
        compared = set(self._catalogue.alike(lines))
        data = read_at(0, HEAD)
        text = data.lstrip(NUL)
        if not text.startswith(b"\n".join(lines)[: len(text)]):
            return None
        position = begun(data, lines)
        with self._catalogue.alone():
            if not compared.issuperset(self._catalogue.alike(lines)):
                return None
            name = self._catalogue.new_name(self._prefix, lines)
            self._begun(name, position)
            self._catalogue.put(name, position)
        return self._drive(name, StreamPosition(position.fingerprint), driver)

    def _drive(
        self,
        name: str,
        position: StreamPosition,
        driver: object,
        tail: bytes = b"",
        head: HeadSums | None = None,
    ) -> Stream:
        saved = max((place for place, _ in self._catalogue.position(name).marks), default=0)
        stream = Stream(name, position, self._lines, tail, self._begun, head=head, saved=saved)
        self._catalogue.put(name, stream)
        self._catalogue.drivers[name] = driver
        self._drivers.append(driver)
        return stream


def begun(data: bytes, lines: list[bytes]) -> StreamPosition:
    """Return the position at the beginning of a stream, with head and marks of its first bytes."""
    data = data.rstrip(NUL)  # these may be overwritten still
    return StreamPosition(fingerprint(lines), marks=marks_of(data), head=HeadSums(data).sums)


def fingerprint(lines: list[bytes]) -> str:
    """Return what a stream that begins with these lines is named after, whether the end of the last one has come or not."""
    return _digest([*lines[:-1], *(line.rstrip(BLANK) for line in lines[-1:])])


def _digest(lines: list[bytes]) -> str:
    return blake2b(b"\n".join(lines), digest_size=8).hexdigest()


def carries(read_at: ReadAt, position: StreamPosition) -> bool:
    """Say whether the first lines, and the stretches before each mark, are as they were, as far as the carrier goes."""
    found = HeadSums(read_at(0, HEAD)).sums if position.head else b""
    if any(one != other for one, other in zip(found, position.head, strict=False)):
        return False
    for offset, checksum in position.marks:
        start = max(0, offset - WINDOW)
        data = read_at(start, offset - start)
        if len(data) < offset - start:
            return True
        if crc32(data) != checksum:
            return False
    return True


def _has_seen(read_at: ReadAt, stream: Stream) -> bool:
    """Say whether what was read last is there still."""
    seen = stream.seen()
    return read_at(stream.offset - len(seen), len(seen)) == seen


def beginning(read_at: ReadAt, start: int = 0, *, quiet: bool = False, final: bool = False) -> list[bytes]:
    """Return the lines that a stream is named after, without their ends; none while they are not all there.

    These are the first line and, as many logs begin with the same header, those after it up to the first that may be a
    record. Of a long line the first 1 MiB count, NUL bytes before the first line do not.

    Args:
        quiet: nothing has come for a while: whole lines will do, without a record among them.
        final: no more will come: what is there is all of it.
    """
    for size in (4096, LONGEST_LINE):
        data = read_at(start, size)
        *whole, last = data.lstrip(NUL).split(b"\n")
        for count, line in enumerate(whole[:_HEADER_LINES], 1):
            if line.lstrip(b"\xef\xbb\xbf \t").startswith(b"{") or count == _HEADER_LINES:
                return whole[:count]
        if len(data) < size:
            complete = is_record(last) or (final and last.strip(NUL))
            return [*whole, *([last] if complete else [])] if quiet or final else []
    return [*whole, last] if whole or last else []
