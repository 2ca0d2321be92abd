"""What is known of every area's roles: the state of each that is in the broker's log, on the disk.

An area may have millions of roles, so they are kept in a SQLite file: a row of some 60 bytes a role, found by area and
uid. Memory does not grow with them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from analytics.spouts.database import Database

_WITHOUT = "all roles are asked for again, and what the journals hold is not published twice"
_TABLES = """
CREATE TABLE IF NOT EXISTS areas (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, newest INTEGER NOT NULL, full_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS roles (
    area INTEGER NOT NULL, uid TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (area, uid)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS put_aside (digest BLOB PRIMARY KEY) WITHOUT ROWID;
"""

Digests = Mapping[str, bytes]


class Progress(msgspec.Struct):
    """How far one area was asked about.

    ``newest``: every role with an older ``ts`` than that (Unix seconds) is known. ``full_at``: when all roles were
    last asked for (Unix seconds of this machine); 0: never.
    """

    newest: int = 0
    full_at: float = 0.0


class KnownRoles(Database):
    """The file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _TABLES, _WITHOUT)
        self._numbers: dict[str, int] = dict(self.rows("SELECT id, number FROM areas"))
        self._expected: dict[str, dict[str, bytes]] = {}

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever kept here."""
        return not self._numbers

    def progress(self) -> dict[str, Progress]:
        """Return how far each area was asked about."""
        rows = self.rows("SELECT id, newest, full_at FROM areas")
        return {area: Progress(newest, full_at) for area, newest, full_at in rows}

    def digests(self, area: str, uids: Iterable[str]) -> dict[str, bytes]:
        """Return the digests of those of ``uids`` that the broker has, or is about to have."""
        number, wanted = self._numbers.get(area), list(uids)
        query = "SELECT uid, digest FROM roles WHERE area = ? AND uid IN ({})"
        found = {} if number is None else dict(self.rows_of(query, wanted, number))
        expected = self._expected.get(area, {})
        return found | {uid: expected[uid] for uid in wanted if uid in expected}

    def expect(self, found: Mapping[str, Digests]) -> None:
        """Take note, per area, of digests of roles that were sent and are not acknowledged yet."""
        for area, some in found.items():
            self._expected.setdefault(area, {}).update(some)

    def arrived(self, found: Mapping[str, Digests]) -> None:
        """Keep what was expected: the broker has it."""
        self.put(found)
        for area, some in found.items():
            expected = self._expected[area]
            for uid, digest in some.items():
                if expected.get(uid) == digest:
                    del expected[uid]

    def put(self, found: Mapping[str, Digests]) -> None:
        rows = [
            (self._number(area), uid, digest) for area, some in found.items() for uid, digest in some.items()
        ]
        self.many("INSERT OR REPLACE INTO roles VALUES (?, ?, ?)", rows)

    def went(self, area: str, progress: Progress) -> None:
        """Keep how far ``area`` was asked about."""
        values = progress.newest, progress.full_at, self._number(area)
        self.rows("UPDATE areas SET newest = ?, full_at = ? WHERE number = ?", *values)

    def new_aside(self, digests: Iterable[bytes]) -> set[bytes]:
        """Return those of ``digests`` that were not rejected before."""
        wanted = set(digests)
        rows = self.rows_of("SELECT digest FROM put_aside WHERE digest IN ({})", list(wanted))
        return wanted.difference(digest for (digest,) in rows)

    def put_aside(self, digests: Iterable[bytes]) -> None:
        """Remember what was rejected."""
        self.many("INSERT OR IGNORE INTO put_aside VALUES (?)", [(digest,) for digest in digests])

    def _number(self, area: str) -> int:
        if area not in self._numbers:
            self.rows("INSERT INTO areas (id, newest, full_at) VALUES (?, 0, 0)", area)
            (row,) = self.rows("SELECT number FROM areas WHERE id = ?", area)
            self._numbers[area] = row[0]
        return self._numbers[area]
