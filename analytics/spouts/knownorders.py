"""The orders that payment interfaces have named, on the disk: each keeps the acct and amount that it was first named with, and the day that counts it."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path

from analytics.spouts.database import Database
from analytics.spouts.orders import Order

_WITHOUT = "orders that answers name are taken as new, so a change of their amounts or of a settled day is not noticed"
_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    area TEXT NOT NULL, id TEXT NOT NULL, day INTEGER NOT NULL, acct TEXT NOT NULL, amount INTEGER NOT NULL,
    currency TEXT NOT NULL, refunded INTEGER NOT NULL, listed INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (area, id)
) WITHOUT ROWID;
"""
_COLUMNS = "day, acct, amount, currency, refunded, listed"
"""Those of an :class:`Order`, in its order. SQLite has 0 and 1 for False and True."""


class KnownOrders(Database):
    """The file.

    What is kept decides nothing but which orders are rejected. Of new orders and of their days it may be ahead of what is journaled. That a
    day has lost an order is kept when a snapshot without it is journaled, so no other day counts it before.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _TABLES, _WITHOUT)
        self._upgrade()

    def of(self, area: str, ids: Iterable[str]) -> dict[str, Order]:
        """Return what is known of orders of an area, by id."""
        query = f"SELECT id, {_COLUMNS} FROM orders WHERE area = ? AND id IN ({{}})"
        rows = self.rows_of(query, list(dict.fromkeys(ids)), area)
        return {id_: Order(*fields) for id_, *fields in rows}

    def put(self, area: str, orders: Mapping[str, Order]) -> None:
        rows = [(area, id_, *astuple(one)) for id_, one in orders.items()]
        statement = f"INSERT OR REPLACE INTO orders (area, id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self.many(statement, rows)

    def listed(self, area: str, begin: int, end: int) -> dict[str, str]:
        """Return the acct of each order that counts on a day which starts at ``begin`` or later, and before ``end``, by id."""
        query = "SELECT id, acct FROM orders WHERE area = ? AND day >= ? AND day < ? AND listed"
        return dict(self.rows(query, area, begin, end))

    def unlist(self, area: str, ids: Iterable[str]) -> None:
        """Keep that these orders no longer count on their days."""
        self.many("UPDATE orders SET listed = 0 WHERE area = ? AND id = ?", [(area, id_) for id_ in ids])

    def _upgrade(self) -> None:
        """Add what the files of earlier versions lack."""
        if "listed" not in {row[1] for row in self.rows("PRAGMA table_info(orders)")}:
            self.rows("ALTER TABLE orders ADD COLUMN listed INTEGER NOT NULL DEFAULT 1")
        self.rows("CREATE INDEX IF NOT EXISTS orders_by_day ON orders (area, day) WHERE listed")
