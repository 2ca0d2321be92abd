"""The filter's state on disk, separate from the Queue: a snapshot and a tail of later changes, in two generations.

The snapshot has the sources in memory; the others are in the file of :mod:`analytics.broker.quiet`.

The Queue makes records durable, so the tail is not synced: after a crash of the machine, the log has the records since the
snapshot. If the Queue is removed, the tail has them. If the snapshot is damaged, the previous one and both tails replace it.
"""

import logging
import os
import secrets
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from analytics import sealed
from analytics.broker.filter import Filter, KnownNumbers
from analytics.broker.quiet import QuietSources
from analytics.broker.wire import AcceptedPage
from analytics.core.intervals import Pair
from analytics.core.numberset import NumberSet
from analytics.system import files

logger = logging.getLogger(__name__)


IDENTITY = "identity"
_PAGE, _PAGE_BYTES = 1000, 4 << 20
"""The most sources in one answer, and about how many bytes."""
_Numbers = bytes | list[Pair]
"""A dumped set; earlier versions wrote pairs."""


class _SavedFilter(msgspec.Struct, frozen=True, array_like=True):
    accepted: _Numbers
    rejected: _Numbers


class FilterSnapshot(msgspec.Struct, frozen=True):
    """The filter after record ``seq`` of log ``log``. ``quiet``: how many sources were in the other file at least."""

    log: str
    seq: int
    sources: dict[str, _SavedFilter]
    quiet: int = 0


class Passed(msgspec.Struct, frozen=True, array_like=True):
    """One line of the tail: the changes by record ``seq`` of log ``log``."""

    log: str
    seq: int
    source: str
    ns: list[Pair]
    rejected: list[Pair]


class FilterStore:
    """Stores a filter in ``folder``. ``identity``: what tells this folder from others, "" if it could not be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(folder / "tail", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._fd).st_size
        self._log, self._seq = "", 0
        self._recovered = False
        self.quiet = QuietSources(folder / "quiet.sqlite")
        self.identity = _identity(folder / IDENTITY)

    def saved(self, log: str) -> int:
        """Return the last seq of ``log`` that the snapshot includes."""
        return self._seq if self._log == log else 0

    def load(self, into: Filter) -> tuple[str, int]:
        """Fill the filter. Return log and seq of the newest record, or ``("", 0)``."""
        newest, quiet = ("", 0), 0
        found = sealed.read(self._folder / "snapshot.json", msgspec.json.Decoder(FilterSnapshot).decode)
        if found is not None:
            snapshot, _ = found
            self._log, self._seq, quiet = snapshot.log, snapshot.seq, snapshot.quiet
            for source, saved in snapshot.sources.items():
                into.put(source, KnownNumbers(_loaded(saved.accepted), _loaded(saved.rejected)))
            newest = (self._log, self._seq)
        for source, *counts in self.quiet.counts(quiet):
            if source not in into.sources:
                into.tally(source, *counts)
        old = self._folder / "tail.old"
        if found is not None and old.exists():
            # After a damaged snapshot, the one before needs it, until the next one is saved.
            place, _ = self._take(old, old.read_bytes(), into, newest)
            if found[1] or (place[0] == newest[0] and place[1] > newest[1]):
                newest, self._recovered = place, True
        data = os.pread(self._fd, self._size, 0)
        newest, whole = self._take(self._folder / "tail", data, into, newest)
        os.ftruncate(self._fd, whole)
        self._size = whole
        return newest

    def _take(
        self, path: Path, data: bytes, into: Filter, newest: tuple[str, int]
    ) -> tuple[tuple[str, int], int]:
        """Fill the filter from a tail. Return its newest record (``newest`` without any), and the end of its last complete line."""
        whole = at = 0
        for line in data.split(b"\n")[:-1]:
            at += len(line) + 1
            passed = _parsed(line)
            if passed is None:
                continue
            if whole != at - len(line) - 1:
                logger.error(
                    "%s is damaged before byte %d: the records are taken from the Queue", path, whole
                )
            into.note(passed.source, passed.ns, passed.rejected)
            newest, whole = (passed.log, passed.seq), at
        return newest, whole

    def append(self, passed: Iterable[Passed]) -> None:
        """Append to the tail. After an OSError it is truncated, and unchanged."""
        data = b"".join(_line(entry) for entry in passed)
        try:
            written = os.pwrite(self._fd, data, self._size)
            while written < len(data):
                written += os.pwrite(self._fd, data[written:], self._size + written)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def save(self, log: str, seq: int, sources: bytes) -> None:
        """Replace the snapshot, durably and at once, and empty the tail. ``sources``: the result of :func:`encoded` just after record ``seq``."""
        head = msgspec.json.encode({"log": log, "seq": seq, "quiet": self.quiet.count})
        # The generation before is complete with the tail that ends now, unless it had to take a damaged one's place.
        for _ in range(2 if self._recovered else 1):
            sealed.write(self._folder / "snapshot.json", head[:-1] + b',"sources":' + sources + b"}")
        self._recovered = False
        self._begin_tail()
        self._log, self._seq = log, seq

    def _begin_tail(self) -> None:
        """Start a tail. The previous one belongs to the previous snapshot."""
        os.fsync(self._fd)
        tail, draft = self._folder / "tail", self._folder / "tail.new"
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        tail.replace(self._folder / "tail.old")
        draft.replace(tail)
        os.close(self._fd)
        self._fd, self._size = fd, 0
        files.sync_folder(self._folder)

    def page(self, state: Filter, after: str) -> AcceptedPage:
        """Return the next sources of ``state`` after one, in the order of their names, with what was accepted of each."""
        found = dict(self.quiet.after(after, _PAGE))
        found |= {name: state.sources[name] for name in sorted(state.sources) if name > after}
        page, size = {}, 0
        for name in sorted(found)[:_PAGE]:
            page[name] = found[name].accepted.dump()
            size += len(page[name])
            if size > _PAGE_BYTES:
                break
        return AcceptedPage(page)

    def close(self) -> None:
        os.close(self._fd)
        self.quiet.close()


def encoded(state: Filter) -> bytes:
    """Return the filter's sources as a snapshot holds them."""
    return msgspec.json.encode(
        {
            source: _SavedFilter(known.accepted.dump(), known.rejected.dump())
            for source, known in state.sources.items()
        }
    )


def _identity(path: Path) -> str:
    """Return what tells this folder from others, random, made with it; "" if that can't be written."""
    try:
        if not path.exists():
            files.write(path, secrets.token_hex(8).encode())
        return path.read_text()
    except OSError as error:
        logger.warning("%s can't be written: %s", path, error)
        return ""


def _loaded(saved: _Numbers) -> NumberSet:
    return NumberSet.load(saved) if isinstance(saved, bytes) else NumberSet(saved)


def _line(entry: Passed) -> bytes:
    text = msgspec.json.encode(entry)
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parsed(line: bytes) -> Passed | None:
    """Return a line of the tail, None if it is incomplete."""
    crc, _, text = line.partition(b" ")
    return msgspec.json.decode(text, type=Passed) if b"%08x" % zlib.crc32(text) == crc else None
