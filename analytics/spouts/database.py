"""A SQLite file: work on it happens in a thread, so that other greenlets run meanwhile."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import gevent

from analytics.errors import AnalyticsError

T = TypeVar("T")
_AT_ONCE = 500
"""Values that a query looks for: SQLite bounds how many it takes."""


class Database:
    """The file, and its connection. What a call wrote is on the disk when it returns; one greenlet at a time may use it.

    Every call raises AnalyticsError where the file can't be used.

    Args:
        tables: the statements that make its tables where they are missing.
        without: what happens where a damaged file is moved away, for the message of an error.
    """

    def __init__(self, path: Path, tables: str, without: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._without = without
        self.connection: sqlite3.Connection
        self.run(lambda: self._open(tables))

    def run(self, action: Callable[[], T]) -> T:
        """Return what ``action`` returns, which may use the connection."""
        try:
            result: T = gevent.get_hub().threadpool.apply(action)
        except sqlite3.Error as error:
            raise AnalyticsError(
                f"{self._path}: {error}. If the disk is full, make room. If the file is damaged, move it away with "
                f"{self._path.name}-wal beside it and start again: {self._without}"
            ) from error
        return result

    def rows(self, statement: str, *values: object) -> list[Any]:
        """Return the rows of a statement."""
        return self.run(lambda: self.connection.execute(statement, values).fetchall())

    def rows_of(self, query: str, wanted: Sequence[object], *values: object) -> list[Any]:
        """Return the rows of a query for the values ``wanted``, which stand where it has ``{}``, behind ``values``."""
        found = []
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            found += self.rows(query.format(",".join("?" * len(some))), *values, *some)
        return found

    def many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute a statement for each row, all or none of them."""
        if rows:
            self.run(lambda: self._many(statement, rows))

    def close(self) -> None:
        self.run(self.connection.close)

    def _many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self.connection.execute("BEGIN")
        try:
            self.connection.executemany(statement, rows)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _open(self, tables: str) -> None:
        self.connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.executescript(tables)
