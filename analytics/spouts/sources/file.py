"""Game logs in files of this machine, found by glob and followed through rotation."""

import gzip
import os
import stat
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import gevent

from analytics.config import GamelogSection, Source
from analytics.spouts.lost import Loss
from analytics.spouts.sources.health import Health
from analytics.spouts.sources.identity import Catalogue, Streams, beginning
from analytics.spouts.sources.stream import (
    BLOCK,
    LONG_GAP,
    NUL,
    WINDOW,
    Begun,
    Chunk,
    Emit,
    Stream,
)

CLOCKS_DIFFER_SECONDS = 2.0
"""How far the times that a file system gives its files may lie before this machine's clock."""
SCANNING_SHARE = 0.01
"""Of a source's time, what looking for new files may take before it waits longer in between."""
SOONEST_SECONDS = 0.02
_TURN = 8
_ENDED_SECONDS = 5.0
"""After so long without news a whole record counts without its newline, and a stretch of zeros is not overwritten."""
_QUIET_SECONDS = 60.0
_MOST_OPEN = 100
_Inode = tuple[int, int]
_Content = tuple[int, int]
"""Size and time of the last change: an inode that a new file has taken over, or that was written anew, has another."""


class FileSource:
    """Follows every file that the glob ``path`` matches, and what was rotated away from it.

    A file beside them whose name goes on after ``.`` or ``-`` counts as rotated if a stream that was being read
    goes on in it, or if it was written after ``looked``.

    Attributes:
        looked: Unix seconds; every file that was there then has a record source by now, or was passed over.
    """

    def __init__(
        self,
        source: Source,
        section: GamelogSection,
        catalogue: Catalogue,
        emit: Emit,
        health: Health,
        begun: Begun,
        lost: Callable[[Loss], None],
        looked: float,
    ) -> None:
        self.name = source.name
        self.looked = looked
        self._source = source
        self._emit = emit
        self._lost = lost
        self._health = health
        self._since = looked - CLOCKS_DIFFER_SECONDS
        self._pause = min(source.poll_seconds, section.batch_seconds)
        self._streams = Streams(source.name, catalogue, section.batch_lines, begun)
        self._open: dict[_Inode, _Carrier] = {}
        self._done: dict[_Inode, _Content] = {}
        self._unreadable: dict[_Inode, str] = {}
        self._stuck = 0  # open files that hold no whole line yet
        self._empty = True  # whether the glob finds nothing
        self._left_out = False  # whether a file waits until others are closed

    def run(self) -> None:
        """Follow for ever."""
        scan_due = turn_due = 0.0
        looked = self.looked
        while True:
            now = time.monotonic()
            try:
                if now >= scan_due:
                    scan_due = now + self._source.poll_seconds
                    looked, known = time.time(), set(self._open)
                    self.scan()
                    # New files are found soon where looking is cheap, and begun at once.
                    pause = max(SOONEST_SECONDS, (time.monotonic() - now) / SCANNING_SHARE)
                    scan_due = min(scan_due, now + pause)
                    if not self._open.keys() <= known:
                        turn_due = now
                if now >= turn_due:
                    turn_due = now + self._pause  # also where it fails
                    if self.turn():
                        turn_due = now
                    if not self._left_out and all(carrier.stream for carrier in self._open.values()):
                        self.looked = looked
                    self._tell()
            except OSError as error:
                self._health.failed(str(error))
            gevent.sleep(max(0.0, min(scan_due, turn_due) - time.monotonic()))

    def _tell(self) -> None:
        """Say how reading goes: well only if every file can be read."""
        lag = sum(carrier.behind() for carrier in self._open.values())
        if self._unreadable:
            self._health.failed(next(iter(self._unreadable.values())), lag)
        else:
            self._health.well(lag)

    def close(self) -> None:
        """Let go of all files."""
        for carrier in self._open.values():
            carrier.close()
        self._open.clear()

    def path_of(self, source: str) -> str:
        """Return the path of the open file whose lines are a record source's, "" where there is none."""
        found = (one for one in self._open.values() if one.stream is not None and one.stream.source == source)
        return next((str(one.path) for one in found), "")

    def scan(self) -> None:
        """Find files that came, were renamed or have gone."""
        present = dict(_files(self._source.path))
        # Names that say: rotated from one of these.
        beside = dict(_files(self._source.path + "[.-]*"))
        beside = {inode: path for inode, path in beside.items() if inode not in present}
        for inode, carrier in self._open.items():
            path = present.get(inode) or beside.get(inode)
            carrier.gone = inode not in present
            carrier.vanished = path is None
            carrier.path = path or carrier.path
        self._empty = not present
        there = present.keys() | beside.keys()
        self._done = {inode: content for inode, content in self._done.items() if inode in there}
        self._unreadable = {inode: why for inode, why in self._unreadable.items() if inode in self._open}
        self._close_quiet()
        for inode, path in [*present.items(), *beside.items()]:
            try:
                self._consider(inode, path, inode in present)
            except OSError as error:
                self._unreadable[inode] = str(error)

    def _consider(self, inode: _Inode, path: Path, matched: bool) -> None:
        """Open or unpack a file that may carry something new. ``matched``: the glob itself names it."""
        status = path.stat()
        if inode in self._open or self._done.get(inode) == _content(status):
            return
        make = matched or status.st_mtime >= self._since
        if path.suffix == ".gz":
            self._unpack(inode, path, make)
        else:
            self._look(inode, path, make, not matched)

    def _report_losses(self) -> None:
        """Report streams that no file carries any more, unless files may be there that can't be seen or read now."""
        if self._left_out or self._unreadable or self._empty:
            return
        for name in self._streams.left(_QUIET_SECONDS):
            self._lost(self._streams.loss(name, "no file carries it any more"))
            self._streams.saw(name, 0)

    def turn(self) -> int:
        """Read a little of every open file; return how many bytes came."""
        total = 0
        for inode, carrier in list(self._open.items()):
            try:
                total += self._read_some(carrier)
                if carrier.stream is not None:
                    self._streams.saw(carrier.stream.source, carrier.stream.offset + carrier.behind())
                self._unreadable.pop(inode, None)
                if carrier.quiet(_ENDED_SECONDS) and (carrier.stream is None or carrier.is_at_end()):
                    self._settle(inode, carrier)
            except OSError as error:
                self._unreadable[inode] = f"{carrier.path}: {error}"
        self._report_losses()  # when each file that is open was looked at
        return total

    def _read_some(self, carrier: "_Carrier") -> int:
        total = 0
        for _ in range(_TURN):
            data = self._read(carrier)
            total += len(data)
            gevent.sleep(0)
            if len(data) < BLOCK:
                break
        return total

    def _close_quiet(self) -> None:
        """Close files that were read to their ends and are quiet; where many are open, those that were just read, too.

        Each is opened again when it has changed. So a glob may match any number of files.
        """
        patience = _QUIET_SECONDS if len(self._open) - self._stuck < _MOST_OPEN else 0.0
        self._stuck, self._left_out = 0, False
        for inode, carrier in list(self._open.items()):
            content = carrier.content()
            if content[0] and (carrier.stream is None or (carrier.is_at_end() and carrier.has_open_line())):
                self._stuck += 1  # keeps no other waiting
            elif carrier.is_at_end() and not carrier.gone and carrier.quiet(patience):
                self._streams.abandon(carrier)
                del self._open[inode]
                self._done[inode] = content
                carrier.close()

    def _look(self, inode: _Inode, path: Path, make: bool, gone: bool) -> None:
        if len(self._open) - self._stuck >= _MOST_OPEN:
            self._left_out = True  # until others are read
            return
        carrier = _Carrier(path)
        carrier.gone = gone
        if not make:
            # Only the rest of a stream that was begun is read.
            lines = beginning(carrier.read_at, carrier.start(), quiet=True)
            if lines:
                carrier.stream = self._streams.find(carrier.read_at, lines, carrier, make=False)
            content = carrier.content()
            if carrier.stream is None or carrier.stream.offset >= content[0]:
                self._done[inode] = content
                self._streams.release(carrier)
                carrier.close()
                return
        self._open[inode] = carrier

    def _read(self, carrier: "_Carrier") -> bytes:
        if carrier.stream is None:
            over = carrier.vanished and carrier.quiet(_QUIET_SECONDS)
            quiet = carrier.quiet(_ENDED_SECONDS)
            lines = beginning(carrier.read_at, carrier.start(), quiet=quiet, final=over)
            carrier.stream = self._streams.find(carrier.read_at, lines, carrier) if lines else None
            if carrier.stream is None:
                return b""
        stream = carrier.stream
        if carrier.size() == stream.offset:
            return b""
        data = carrier.written_at(stream.offset)
        # Looked at after reading: where it is still there, what was read follows it.
        seen = stream.seen()
        if carrier.read_at(stream.offset - len(seen), len(seen)) != seen:
            # Copied and truncated: what is here now is another stream; the copy carries the rest of this one.
            self._streams.abandon(carrier)
            carrier.stream = None
            self._done.clear()
            self.scan()
            return b""
        self._emit_all(stream.feed(data))
        if data.strip(NUL):
            carrier.changed = time.monotonic()  # not before: the broker may have made that wait
        return data

    def _settle(self, inode: _Inode, carrier: "_Carrier") -> None:
        """Take the last record of a quiet file, if only its newline is missing; let go of a file that has ended.

        A line that was cut off waits for its rest, which a writer may still have in its buffer, or another file may
        bring that takes this one's place. It is unusable once its file is gone.
        """
        stream = carrier.stream
        if stream is not None:
            self._emit_all(stream.finish())
        if not carrier.gone or (carrier.vanished and not carrier.quiet(_QUIET_SECONDS)):
            return
        if stream is not None and carrier.has_open_line():
            if not carrier.vanished and len(self._open) < 2 * _MOST_OPEN:
                return
            if carrier.vanished:
                self._emit_all(stream.give_up())
                self._streams.saw(stream.source, 0)
        self._streams.abandon(carrier)
        del self._open[inode]
        if carrier.is_at_end():
            self._done[inode] = carrier.content()  # else it has grown meanwhile, and is looked at again
        carrier.close()

    def _emit_all(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            self._emit(chunk)

    def _unpack(self, inode: _Inode, path: Path, make: bool) -> None:
        """Read a packed file to its end, from where its stream was read up to before it was packed."""
        content = _content(path.stat())
        with gzip.open(path) as packed:
            read_at = _Forward(packed).read_at
            try:
                lines = beginning(read_at, final=True)
                stream = self._streams.find(read_at, lines, path, make) if lines else None
                while stream is not None and (data := read_at(stream.offset, BLOCK)):
                    self._emit_all(stream.feed(data))
                    gevent.sleep(0)
                if stream is not None:
                    self._emit_all(stream.give_up())
                    self._streams.saw(stream.source, 0)
            except (EOFError, zlib.error, OSError) as error:
                self._health.failed(
                    f"{path}: expected a whole gzip file ({error}); it is read again when it has grown"
                )
                self._done[inode] = content
                return
            finally:
                self._streams.release(path)
        if stream is not None or not self._streams.busy:
            self._done[inode] = content


class _Carrier:
    """An open file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._fd)
        self.inode: _Inode = (status.st_dev, status.st_ino)
        self.gone = False  # the glob finds it no longer
        self.vanished = False  # nor has it the name of a rotated file
        self._blank = -1  # from there on the file is nothing but zeros
        self.stream: Stream | None = None
        self.changed = time.monotonic()

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._fd, length, offset)

    def start(self) -> int:
        """Return where the file begins that is more than a hole."""
        try:
            return os.lseek(self._fd, 0, os.SEEK_DATA)
        except OSError:  # there is nothing else, or the file system can't tell
            return 0

    def written_at(self, offset: int) -> bytes:
        """Return what was written at ``offset``: not the zeros that end a file which was set to its size before.

        Zeros with something after them are the end of that only when they have stayed for a while: over a network,
        blocks come in any order.
        """
        data = self.read_at(offset, BLOCK)
        self._blank = -1
        if NUL not in data:
            return data
        text = data.rstrip(NUL)
        last = data if len(data) < BLOCK else self.read_at(max(offset, self.size() - WINDOW), WINDOW)
        if not text and not last.strip(NUL):
            self._blank = offset
        elif not text:
            text = data
        gap = text.find(NUL * LONG_GAP)
        return text if gap < 0 or self.quiet(_ENDED_SECONDS) else text[:gap]

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def content(self) -> _Content:
        return _content(os.fstat(self._fd))

    def behind(self) -> int:
        """Return how many bytes there are to read."""
        offset = self.stream.offset if self.stream else 0
        return 0 if offset == self._blank else max(0, self.size() - offset)

    def is_at_end(self) -> bool:
        """Say whether all is read."""
        return self.behind() == 0

    def is_spent(self) -> bool:
        """Say whether all is read and the file is gone from its place."""
        return self.gone and self.is_at_end()

    def has_open_line(self) -> bool:
        """Say whether what was read ends within a line."""
        return self.stream is not None and self.stream.position.offset < self.stream.offset

    def quiet(self, seconds: float) -> bool:
        return time.monotonic() - self.changed >= seconds

    def close(self) -> None:
        os.close(self._fd)


class _Forward:
    """Reads a packed file at rising offsets; going back unpacks it again from the start."""

    def __init__(self, packed: gzip.GzipFile) -> None:
        self._packed = packed

    def read_at(self, offset: int, length: int) -> bytes:
        self._packed.seek(offset)
        return self._packed.read(length)


def _content(status: os.stat_result) -> _Content:
    return status.st_size, status.st_mtime_ns


def _files(pattern: str) -> Iterator[tuple[_Inode, Path]]:
    """Yield inode and path of every file that the glob matches."""
    anchor = Path(pattern).anchor
    for path in sorted(Path(anchor).glob(pattern[len(anchor) :])):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield (status.st_dev, status.st_ino), path
