"""Streams that are probably over: their positions lie in ``data/state/streams.sqlite``, out of memory and of what is saved often.

Nothing is forgotten: a log that turns up after a year is found by its first lines. All processes of a data folder use the file.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from zlib import crc32

import msgspec

from analytics.errors import AnalyticsError
from analytics.spouts.positions import StreamPosition

MOST_ACTIVE = 1000
"""So many streams that were read last stay in memory, and those that are being read."""
_BUSY_SECONDS = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS streams (
    name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, position TEXT NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_fingerprint ON streams (fingerprint);
"""


class Retired:
    """The file. Each call returns when what it wrote is on the disk; it raises AnalyticsError where the file can't be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0
        self._found: dict[str, dict[str, StreamPosition]] = {}  # what was asked since then

    def put(self, positions: Mapping[str, StreamPosition]) -> None:
        texts = [
            (name, one.fingerprint, msgspec.json.encode(one).decode()) for name, one in positions.items()
        ]
        if texts:
            with self._opened() as db:
                rows = [(name, begin, text, _checksum(name, text)) for name, begin, text in texts]
                db.executemany("INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?)", rows)

    def find(self, fingerprints: Iterable[str]) -> dict[str, StreamPosition]:
        """Return the positions of streams with these fingerprints, by name."""
        try:
            written = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if written != self._written:
            self._written, self._found = written, {}
        return {name: one for begin in fingerprints for name, one in self._of(begin).items()}

    def _of(self, fingerprint: str) -> dict[str, StreamPosition]:
        if fingerprint not in self._found:
            query = "SELECT name, position, checksum FROM streams WHERE fingerprint = ?"
            with self._opened() as db:
                rows = db.execute(query, [fingerprint]).fetchall()
                for name, text, checksum in rows:
                    if checksum != _checksum(name, text):
                        raise sqlite3.DatabaseError(f"a position of {name} that was changed")
            self._found[fingerprint] = {
                name: msgspec.json.decode(text, type=StreamPosition) for name, text, _ in rows
            }
        return self._found[fingerprint]

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(_TABLE)
                with db:
                    yield db
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise AnalyticsError(
                f"{self._path}: expected the positions of old logs, got {error}. If the disk is full, make room. If the file is "
                "damaged, restore it from a backup: without it a log that comes again counts again unless it is the only "
                "one with its first records"
            ) from error


def _checksum(name: str, text: str) -> int:
    return crc32(f"{name} {text}".encode())
