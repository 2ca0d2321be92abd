"""Who has paid on the days that are still asked about, as the broker's log has it, on the disk.

An answer names an area's payers of a day. Whom a later answer leaves out has paid nothing any more, and a tuple has to say
so; so the last answer's payers are kept. A row holds those of one area's day.
"""

import sqlite3
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

import gevent
import msgspec

from analytics.errors import AnalyticsError

Accts = frozenset[str]
T = TypeVar("T")

_TABLE = "CREATE TABLE IF NOT EXISTS days (key TEXT PRIMARY KEY, accts BLOB NOT NULL) WITHOUT ROWID"
_COMPLETE = "CREATE TABLE IF NOT EXISTS complete (is_so INTEGER PRIMARY KEY)"
"""It has a row once the journals were read."""
_decode = msgspec.json.Decoder(Accts).decode


class Payers:
    """The file. Each call returns when what it wrote is on the disk; other greenlets run meanwhile.

    One greenlet at a time may use it. Every call raises AnalyticsError where the file can't be used.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.complete = False
        """Whether all is here that the journals tell of the time before this file."""
        self._in_thread(self._open)

    def of(self, key: str) -> Accts:
        """Return who has paid on an area's day."""
        if key not in self._keys:
            return frozenset()
        row = self._in_thread(
            lambda: self._db.execute("SELECT accts FROM days WHERE key = ?", [key]).fetchone()
        )
        return _decode(row[0])

    def put(self, found: Mapping[str, Accts]) -> None:
        """Keep who has paid, per area's day."""
        rows = [(key, msgspec.json.encode(accts)) for key, accts in found.items()]
        self._in_thread(lambda: self._many("INSERT OR REPLACE INTO days VALUES (?, ?)", rows))
        self._keys.update(found)

    def complete_now(self) -> None:
        """Remember that all is here that the journals tell."""
        self._in_thread(lambda: self._db.execute("INSERT OR IGNORE INTO complete VALUES (1)"))
        self.complete = True

    def keep(self, keys: Collection[str]) -> None:
        """Forget all other days."""
        closed = [(key,) for key in self._keys.difference(keys)]
        if closed:
            self._in_thread(lambda: self._many("DELETE FROM days WHERE key = ?", closed))
            self._keys.intersection_update(keys)

    def close(self) -> None:
        """Close the file."""
        self._in_thread(self._db.close)

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_TABLE)
        self._db.execute(_COMPLETE)
        self.complete = bool(self._db.execute("SELECT 1 FROM complete").fetchone())
        self._keys = {row[0] for row in self._db.execute("SELECT key FROM days")}

    def _many(self, statement: str, rows: list[tuple[str]] | list[tuple[str, bytes]]) -> None:
        self._db.execute("BEGIN")
        try:
            self._db.executemany(statement, rows)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _in_thread(self, action: Callable[[], T]) -> T:
        try:
            result: T = gevent.get_hub().threadpool.apply(action)
        except sqlite3.Error as error:
            raise AnalyticsError(
                f"{self._path}: {error}. If the disk is full, make room. If the file is damaged, move it away with "
                f"{self._path.name}-wal beside it and start again: the journals say what it held"
            ) from error
        return result
