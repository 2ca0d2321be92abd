"""The payers of the days that are still asked about, according to the broker's log, on the disk.

An answer names an area's payers of a day. Whom a later answer leaves out has paid nothing any more, and a tuple has to say
so; so the last answer's payers are kept. A row holds those of one area's day.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from analytics.spouts.database import Database

Accts = frozenset[str]

_WITHOUT = "the journals say what it held"
_TABLES = """
CREATE TABLE IF NOT EXISTS days (key TEXT PRIMARY KEY, accts BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS complete (is_so INTEGER PRIMARY KEY);
"""
"""``complete`` has a row once the journals were read."""
_decode = msgspec.json.Decoder(Accts).decode


class Payers(Database):
    """The file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _TABLES, _WITHOUT)
        self.complete = bool(self.rows("SELECT 1 FROM complete"))
        """Whether all is here that the journals say of the time before this file."""
        self._keys = {key for (key,) in self.rows("SELECT key FROM days")}
        self._expected: dict[str, Accts] = {}

    def of(self, key: str) -> Accts:
        """Return who has paid on an area's day, by all that the broker has or is about to have."""
        if key in self._expected:
            return self._expected[key]
        if key not in self._keys:
            return frozenset()
        ((accts,),) = self.rows("SELECT accts FROM days WHERE key = ?", key)
        return _decode(accts)

    def expect(self, found: Mapping[str, Accts]) -> None:
        """Take note, per area's day, of who has paid by what was sent and is not acknowledged yet."""
        self._expected.update(found)

    def arrived(self, found: Mapping[str, Accts]) -> None:
        """Keep what was expected: the broker has it."""
        self.put(found)
        for key, accts in found.items():
            if self._expected.get(key) is accts:
                del self._expected[key]

    def put(self, found: Mapping[str, Accts]) -> None:
        """Keep who has paid, per area's day."""
        rows = [(key, msgspec.json.encode(accts)) for key, accts in found.items()]
        self.many("INSERT OR REPLACE INTO days VALUES (?, ?)", rows)
        self._keys.update(found)

    def rekey(self, key_of: Callable[[str], str]) -> None:
        """Give the areas' days the keys that they have now, given those that they had."""
        changed = [(new, key) for key in self._keys if (new := key_of(key)) != key]
        self.many("UPDATE OR REPLACE days SET key = ? WHERE key = ?", changed)
        self._keys = {key_of(key) for key in self._keys}

    def complete_now(self) -> None:
        """Remember that all is here that the journals tell."""
        self.rows("INSERT OR IGNORE INTO complete VALUES (1)")
        self.complete = True

    def keep(self, keys: Collection[str]) -> None:
        """Forget all other days."""
        closed = [(key,) for key in self._keys.difference(keys)]
        self.many("DELETE FROM days WHERE key = ?", closed)
        self._keys.intersection_update(keys)
