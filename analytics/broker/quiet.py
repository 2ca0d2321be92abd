"""The numbers of sources that have been quiet for longest: ``data/filter/quiet.sqlite``, out of memory and of the snapshot.

A row stays when its source is in memory again: what is in memory then counts, and replaces the row when it is stored again.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from zlib import crc32

from analytics.broker.filter import KnownNumbers
from analytics.core.numberset import NumberSet
from analytics.errors import AnalyticsError

_TABLE = """
CREATE TABLE IF NOT EXISTS sources (
    name TEXT PRIMARY KEY, accepted BLOB NOT NULL, rejected BLOB NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID
"""
_BUSY_MS = 100
"""A write waits no longer for a backup that reads: the broker's lookups would wait with it. It is tried again later."""

_ROW = "name, accepted, rejected, checksum"
_Row = tuple[str, bytes, bytes, int]


class QuietSources:
    """The file. It is checked as it is opened; AnalyticsError is raised if it is damaged, or has fewer sources than ``least``.

    Reading takes a fraction of a millisecond. One thread at a time may write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, check_same_thread=False)
            path.chmod(0o640)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_TABLE)
            self._db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        self.count = 0

    def counts(self, least: int) -> Iterator[tuple[str, int, int]]:
        """Yield each source with how many numbers were accepted and rejected; check all. ``least``: so many sources were there before."""
        self.count = 0
        for name, known in self._select(f"SELECT {_ROW} FROM sources"):
            self.count += 1
            yield name, *known.counts()
        if self.count < least:
            raise self._damaged(f"{self.count} sources, expected at least {least}")

    def find(self, name: str) -> KnownNumbers | None:
        """Return a source's numbers, None if it was never stored."""
        return next(
            (known for _, known in self._select(f"SELECT {_ROW} FROM sources WHERE name = ?", name)), None
        )

    def after(self, name: str, most: int) -> list[tuple[str, KnownNumbers]]:
        """Return the first ``most`` sources after ``name``, in the order of their names."""
        query = f"SELECT {_ROW} FROM sources WHERE name > ? ORDER BY name LIMIT {most:d}"
        return list(self._select(query, name))

    def put(self, sources: Mapping[str, KnownNumbers]) -> None:
        """Store sources durably. Raise OSError, with nothing stored, if the disk does not take them."""
        rows = [_row(name, known) for name, known in sources.items()]
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?)", rows)
            self.count = self._db.execute("SELECT count(*) FROM sources").fetchone()[0]
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from error

    def close(self) -> None:
        self._db.close()

    def _select(self, query: str, *values: str) -> Iterator[tuple[str, KnownNumbers]]:
        try:
            for name, accepted, rejected, checksum in self._db.execute(query, values):
                if checksum != _checksum(name, accepted, rejected):
                    raise self._damaged(f"numbers of {name} that were changed")
                yield name, KnownNumbers(NumberSet.load(accepted), NumberSet.load(rejected))
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, found: object) -> AnalyticsError:
        return AnalyticsError(
            f"{self._path}: expected the record numbers of quiet sources, got {found}. Restore data/filter from a backup: "
            "without it repeated records would count again"
        )


def _row(name: str, known: KnownNumbers) -> _Row:
    accepted, rejected = known.accepted.dump(), known.rejected.dump()
    return name, accepted, rejected, _checksum(name, accepted, rejected)


def _checksum(name: str, accepted: bytes, rejected: bytes) -> int:
    return crc32(rejected, crc32(accepted, crc32(name.encode())))
