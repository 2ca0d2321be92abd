"""A SQLite file of one spout: work on it happens in a thread, so that other greenlets run meanwhile."""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import gevent

from analytics.errors import AnalyticsError

T = TypeVar("T")


class Database:
    """The file, and its connection. What a call wrote is on the disk when it returns. One greenlet at a time may use it.

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
        """Return what ``action`` returns, which may use the connection. Raise AnalyticsError where the file can't be used."""
        try:
            result: T = gevent.get_hub().threadpool.apply(action)
        except sqlite3.Error as error:
            raise AnalyticsError(
                f"{self._path}: {error}. If the disk is full, make room. If the file is damaged, move it away with "
                f"{self._path.name}-wal beside it and start again: {self._without}"
            ) from error
        return result

    def many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Execute a statement for each row, all or none of them. Only within :meth:`run`."""
        self.connection.execute("BEGIN")
        try:
            self.connection.executemany(statement, rows)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self.run(self.connection.close)

    def _open(self, tables: str) -> None:
        self.connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.executescript(tables)
