"""What processes that pipe records in know together: the streams, and what is accepted of the journals that they wrote.

It is kept in ``data/state/stdin.json``.

They are compared with each other and with those that the gamelog spout reads, so the same lines are one stream, whatever way
they come.
"""

import math
import re
from pathlib import Path

from msgspec.structs import replace

from analytics.errors import AnalyticsError
from analytics.spouts.ends import Ends
from analytics.spouts.journal import Journal
from analytics.spouts.positions import SpoutState, StateFile, StreamPosition
from analytics.spouts.retired import MOST_ACTIVE, Retired
from analytics.spouts.sources.identity import Catalogue, begun, fingerprint
from analytics.system.locks import FileLock

_PREFIX = "gamelog/stdin@"
_PUTTING_IN = "putting_in.lock"
_JOURNALED = re.compile(rb'\{"id":"(?:gamelog|payment|syncuser)/[A-Za-z0-9_.@/-]+:[1-9][0-9]{0,17}",')


def putting_in(data: Path) -> FileLock:
    """Keep `forget` off a data folder while a command puts records in: it knows the accts that were forgotten when it began.

    Any number of commands may. Return the lock, to be closed at the end. Raise LockTaken while accts are forgotten.
    """
    return FileLock(
        data / "state" / _PUTTING_IN, "accts are forgotten: put records in when that has ended", shared=True
    )


def nothing_is_put_in(data: Path) -> FileLock:
    """Keep commands that put records in off a data folder. Return the lock, to be closed at the end. Raise LockTaken if one runs."""
    refusal = "read_stdin_gamelog or `rejected --replay` puts records in: let it end first"
    return FileLock(data / "state" / _PUTTING_IN, refusal)


def refuse_others(name: str, known: StreamPosition, position: StreamPosition) -> None:
    """Raise AnalyticsError where the stream that is known as ``name`` differs from one that has come to ``position``."""
    marks = dict(known.marks)
    for offset, checksum in position.marks:
        if marks.get(offset, checksum) != checksum:
            raise AnalyticsError(
                f"stdin: expected the log that is known as {name}, which this one begins like; it differs before byte "
                f"{offset}, so lines would be dropped as repeats that are none. Nothing was put in from near there on. "
                "Pipe in what differs alone, or all of it with --source and a new name, which counts every line"
            )


class PipedStreams:
    """What all processes know that pipe into the data folder ``data``."""

    def __init__(self, data: Path) -> None:
        folder = data / "state"
        self._path = folder / "stdin.json"
        self._file = StateFile(self._path)
        self._spout = StateFile(folder / "gamelog.json")
        self._lock = folder / "streams.lock"
        self._read: tuple[int, dict[str, StreamPosition]] = (0, {})
        self.retired = Retired(folder / "streams.sqlite")

    def others(self, fingerprints: list[str]) -> dict[str, StreamPosition]:
        """Return the streams with these fingerprints that were piped in, or are old."""
        known = {name: one for name, one in self._piped().items() if one.fingerprint in fingerprints}
        return self.retired.find(fingerprints) | known

    def _piped(self) -> dict[str, StreamPosition]:
        try:
            written = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if written != self._read[0]:
            self._read = written, self._file.load(SpoutState).sources
        return self._read[1]

    def alone(self) -> FileLock:
        """Hold off other processes that begin streams; other greenlets run while this waits for them."""
        return FileLock(self._lock, "another process begins a stream", math.inf)

    def alike(self, lines: list[bytes]) -> bool:
        """Say whether a known stream begins like this one."""
        return bool(self._catalogue().alike(lines))

    def name(self, head: bytes, lines: list[bytes]) -> tuple[str, StreamPosition]:
        """Return the name of the stream that begins with ``head``, and how far it is known.

        A journal names its lines itself: nothing is kept of it.
        """
        if _JOURNALED.match(lines[0]):
            return _PREFIX + fingerprint(lines), StreamPosition("")
        with self.alone():
            catalogue = self._catalogue()
            name = catalogue.find(lambda offset, length: head[offset : offset + length], lines)
            if name is not None:
                return name, catalogue.position(name)
            name = catalogue.new_name(_PREFIX, lines)
            self._put(name, begun(head, lines))
        return name, StreamPosition("")

    def grown(self, name: str, position: StreamPosition) -> None:
        """Keep how a stream begins, before more of it leaves. Raise AnalyticsError where another process has gone on otherwise with it."""
        self.keep(name, replace(position, n=0, offset=0, open=False))

    def keep(self, name: str, position: StreamPosition) -> None:
        """Keep how far a stream was accepted, if it was piped in first, and no further before."""
        with self.alone():
            if name.startswith(_PREFIX):
                self._put(name, position)

    def journals(self) -> dict[str, int]:
        """Return the accepted byte of each journal, also of those that the spout wrote."""
        found = dict(self._spout.load(SpoutState).journal)
        for name, end in self._file.load(SpoutState).journal.items():
            found[name] = max(end, found.get(name, 0))
        return found

    def accepted(self, journal: Journal, ends: Ends) -> None:
        """Keep and report what is accepted of the journal that this process wrote; forget those that are gone."""
        with self.alone():
            state = self._file.load(SpoutState)
            state.journal |= journal.acknowledged
            for name in [name for name in state.journal if not list(journal.folder.glob(f"{name}*"))]:
                del state.journal[name]
            ends.report(state.journal)
            self._file.save(state, now=True)

    def _put(self, name: str, position: StreamPosition) -> None:
        state = self._file.load(SpoutState)
        known = state.sources.pop(name, None) or self.retired.find([position.fingerprint]).get(name, position)
        refuse_others(name, known, position)
        longer = max(position, known, key=lambda one: one.offset)
        state.sources[name] = longer.with_marks(known).with_marks(position)
        old = list(state.sources)[:-MOST_ACTIVE]
        self.retired.put({name: state.sources[name] for name in old})
        for name in old:
            del state.sources[name]
        self._file.save(state, now=True)

    def _catalogue(self) -> Catalogue:
        known = self._spout.load(SpoutState).sources | self._file.load(SpoutState).sources
        return Catalogue(known, others=self.retired.find)
