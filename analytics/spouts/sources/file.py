"""Game logs in files of this machine, found by glob and followed through rotation."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import gevent

from analytics.config import Source
from analytics.spouts.sources.carrier import ENDED_SECONDS, Carrier, Content, Inode, content_of
from analytics.spouts.sources.identity import beginning
from analytics.spouts.sources.log_source import FollowingSource, SourceContext
from analytics.spouts.sources.matching import hidden_by, matching, refusal
from analytics.spouts.sources.packed import OPENERS, START, UNPACKING, Forward, Open, opener
from analytics.spouts.sources.stream import BLOCK, NUL

CLOCKS_DIFFER_SECONDS = 2.0
"""How far the times that a file system gives its files may lie before this machine's clock."""
SCANNING_SHARE = 0.01
"""Of a source's time, what looking for new files may take before it waits longer in between."""
SOONEST_SECONDS = 0.02
_TURN = 8
_QUIET_SECONDS = 60.0
_MOST_OPEN = 100


class FileSource(FollowingSource):
    """Follows every file that the glob ``path`` matches, and what was rotated away from it.

    A file beside them whose name goes on after ``.`` or ``-`` counts as rotated if a stream that was being read
    goes on in it, or if it was written after ``looked``.
    ``looked``: Unix seconds; every file that was there then has a record source by now, or was passed over.
    """

    def __init__(self, source: Source, given: SourceContext) -> None:
        super().__init__(source, given)
        self.looked = given.memory.looked(source.name)
        self._since = self.looked - CLOCKS_DIFFER_SECONDS
        self._pause = min(source.poll_seconds, given.section.batch_seconds)
        self._open: dict[Inode, Carrier] = {}
        # Files that were read, with what they held and what was wrong with it.
        self._done: dict[Inode, tuple[Content, str]] = {}
        self._unreadable: dict[Inode | Path, str] = {}
        self._retry_at: dict[Inode, float] = {}  # when a file whose handle failed is opened again
        self._stuck = 0  # open files that hold no whole line yet
        self._empty = True  # whether the glob finds nothing
        self._left_out = False  # whether a file waits until others are closed

    def run(self) -> None:
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
        lag = sum(carrier.lag() for carrier in self._open.values())
        why = [*self._unreadable.values(), *(fault for _, fault in self._done.values() if fault)]
        if why:
            self._health.failed(why[0], lag)
        else:
            self._health.well(lag)

    def close(self) -> None:
        for carrier in self._open.values():
            carrier.close()
        self._open.clear()

    def path_of(self, source: str) -> str:
        """Return the path of the open file whose lines are a record source's, "" where there is none."""
        found = (one for one in self._open.values() if one.stream is not None and one.stream.source == source)
        return next((str(one.path) for one in found), "")

    def scan(self) -> None:
        """Find files that came, were renamed or have gone."""
        now = time.monotonic()
        self._retry_at = {inode: at for inode, at in self._retry_at.items() if at > now}
        kept = self._open.keys() | self._retry_at.keys()
        self._unreadable = {inode: why for inode, why in self._unreadable.items() if inode in kept}
        present = dict(self._files(self._source.path))
        # Names that say: rotated from one of these.
        beside = dict(self._files(self._source.path + "[.-]*"))
        beside = {inode: path for inode, path in beside.items() if inode not in present}
        for error in hidden_by(self._source.path):
            self._unreadable[Path(error.filename)] = f"{error.filename}: {error.strerror}"
        hidden = any(isinstance(one, Path) for one in self._unreadable)  # a file may be behind such a name
        for inode, carrier in self._open.items():
            path = present.get(inode) or beside.get(inode)
            if path is not None or not hidden:
                carrier.gone = inode not in present
                carrier.vanished = path is None
            carrier.path = path or carrier.path
        self._empty = not present
        there = present.keys() | beside.keys()
        self._done = {inode: done for inode, done in self._done.items() if inode in there}
        self._close_quiet()
        for inode, path in [*present.items(), *beside.items()]:
            try:
                self._consider(inode, path, inode in present)
            except OSError as error:
                self._unreadable[inode] = f"{path}: {error.strerror or error}"
                self._retry_at[inode] = time.monotonic() + self._source.poll_seconds

    def _consider(self, inode: Inode, path: Path, matched: bool) -> None:
        """Open or unpack a file that may carry something new. ``matched``: the glob itself names it."""
        status = path.stat()
        if inode in self._open or inode in self._retry_at or self._is_done(inode, status):
            return
        make = matched or status.st_mtime >= self._since
        if path.suffix in OPENERS:
            self._unpack(inode, path, OPENERS[path.suffix], make)
        else:
            self._look(inode, path, make, not matched)

    def _is_done(self, inode: Inode, status: os.stat_result) -> bool:
        return inode in self._done and self._done[inode][0] == content_of(status)

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
                if carrier.quiet(ENDED_SECONDS) and (carrier.stream is None or carrier.is_at_end()):
                    self._settle(inode, carrier)
            except OSError as error:
                self._drop(inode, carrier, error)
        self._report_losses()  # when each file that is open was looked at
        return total

    def _drop(self, inode: Inode, carrier: Carrier, error: OSError) -> None:
        """Close a file that can't be read, as a handle that its NFS server has forgotten; a scan opens it by its name."""
        self._unreadable[inode] = f"{carrier.path}: {error.strerror or error}"
        self._retry_at[inode] = time.monotonic() + self._source.poll_seconds
        self._streams.abandon(carrier)
        self._open.pop(inode, None)
        carrier.close()

    def _read_some(self, carrier: Carrier) -> int:
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
            try:
                content = carrier.content()
            except OSError as error:
                self._drop(inode, carrier, error)
                continue
            if content[0] and (carrier.stream is None or (carrier.is_at_end() and carrier.has_open_line())):
                self._stuck += 1  # keeps no other waiting
            elif carrier.is_done(content) and not carrier.gone and carrier.quiet(patience):
                self._streams.abandon(carrier)
                del self._open[inode]
                self._done[inode] = content, ""
                carrier.close()

    def _look(self, inode: Inode, path: Path, make: bool, gone: bool) -> None:
        if len(self._open) - self._stuck >= _MOST_OPEN:
            self._left_out = True  # until others are read
            return
        carrier = Carrier(path)
        carrier.gone = gone
        try:
            open_packed = opener(carrier.read_at(0, START))
            if open_packed is None and (make or self._continues(inode, carrier)):
                self._open[inode] = carrier
                return
        except OSError:
            self._streams.abandon(carrier)
            carrier.close()
            raise
        carrier.close()
        if open_packed is not None:
            self._unpack(inode, path, open_packed, make)

    def _continues(self, inode: Inode, carrier: Carrier) -> bool:
        """Say whether the file holds more of a stream that was begun."""
        lines = beginning(carrier.read_at, carrier.start(), quiet=True)
        if lines:
            carrier.stream = self._streams.find(carrier.read_at, lines, carrier, make=False)
        content = carrier.content()
        if carrier.stream is not None and carrier.stream.offset < content[0]:
            return True
        self._done[inode] = content, ""
        self._streams.release(carrier)
        return False

    def _read(self, carrier: Carrier) -> bytes:
        if carrier.stream is None:
            over = carrier.vanished and carrier.quiet(_QUIET_SECONDS)
            quiet = carrier.quiet(ENDED_SECONDS)
            lines = beginning(carrier.read_at, carrier.start(), quiet=quiet, final=over)
            carrier.stream = self._streams.find(carrier.read_at, lines, carrier) if lines else None
            if carrier.stream is None:
                return b""
        stream = carrier.stream
        content = carrier.content()
        if content == (stream.offset, carrier.checked):
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
        carrier.checked = content[1]
        self._emit_all(stream.feed(data))
        if data.strip(NUL):
            carrier.changed = time.monotonic()  # not before: the broker may have made that wait
        return data

    def _settle(self, inode: Inode, carrier: Carrier) -> None:
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
        if carrier.is_done(content := carrier.content()):
            self._done[inode] = content, ""  # else it has changed meanwhile, and is looked at again
        carrier.close()

    def _files(self, pattern: str) -> Iterator[tuple[Inode, Path]]:
        """Yield inode and path of every file that the pattern matches."""
        for name in matching(pattern):
            path = Path(name)
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                self._unreadable[path] = f"{path}: {error.strerror or error}"
                continue
            inode = status.st_dev, status.st_ino
            if stat.S_ISREG(status.st_mode):
                yield inode, path
            elif why := refusal(path, status):
                self._unreadable[inode] = why

    def _unpack(self, inode: Inode, path: Path, open_packed: Open, make: bool) -> None:
        """Read a packed file to its end, from where its stream was read up to before it was packed."""
        content = content_of(path.stat())
        with open_packed(path) as packed:
            read_at = Forward(packed).read_at
            try:
                lines = beginning(read_at, final=True)
                stream = self._streams.find(read_at, lines, path, make) if lines else None
                while stream is not None and (data := read_at(stream.offset, BLOCK)):
                    self._emit_all(stream.feed(data))
                    gevent.sleep(0)
                if stream is not None:
                    self._emit_all(stream.give_up())
                    self._streams.saw(stream.source, 0)
            except UNPACKING as error:
                fault = (
                    f"{path}: expected a whole packed file ({error}); it is read again when it has changed"
                )
                self._done[inode] = content, fault
                return
            finally:
                self._streams.release(path)
        if stream is not None or not self._streams.busy:
            self._done[inode] = content, ""
