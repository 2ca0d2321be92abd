"""What spouts remember of accts between two polls, with pseudonyms: the payers of open days, and where roles were."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from analytics.spouts.mapping.renamed import Rename
from analytics.spouts.roles import acct_of_state, with_acct

_decode_accts = msgspec.json.Decoder(list[str]).decode
_Row = tuple[object, ...]


def rename_states(data: Path, rename: Rename, write: bool = True) -> int:
    """Put pseudonyms into the files of a data folder, durably; return how many rows have any. Without ``write`` they stay."""
    state = data / "state"

    def payers(row: _Row) -> object:
        (accts,) = row
        assert isinstance(accts, bytes)
        before = _decode_accts(accts)
        after = [rename(acct) or acct for acct in before]
        return accts if after == before else msgspec.json.encode(after)

    def role(row: _Row) -> object:
        (digest,) = row
        assert isinstance(digest, bytes)
        name = rename(acct) if (acct := acct_of_state(digest)) else None
        return digest if name is None else with_acct(digest, name)

    def acct(row: _Row) -> object:
        return rename(str(row[0])) or row[0]

    return (
        _table(state / "payment.sqlite", "days", ["key"], "accts", payers, write)
        + _table(state / "orders.sqlite", "orders", ["area", "id"], "acct", acct, write)
        + _table(state / "syncuser.sqlite", "roles", ["area", "uid"], "digest", role, write)
    )


def _table(
    path: Path, table: str, key: list[str], column: str, change: Callable[[_Row], object], write: bool
) -> int:
    if not path.exists():
        return 0
    with _opened(path) as db:
        changed = [
            (new, *row[1:])
            for row in db.execute(f"SELECT {column}, {', '.join(key)} FROM {table}")
            if (new := change(row[:1])) != row[0]
        ]
        if write:
            # Also where nothing is to change: what an interrupted call left in free pages goes.
            where = " AND ".join(f"{name} = ?" for name in key)
            with db:
                db.executemany(f"UPDATE {table} SET {column} = ? WHERE {where}", changed)
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(changed)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        yield db
