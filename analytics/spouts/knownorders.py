"""The orders that payment interfaces have named, on the disk: each keeps the acct, amount and day that it was first named with."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from analytics.spouts.database import Database
from analytics.spouts.orders import Order

_AT_ONCE = 500
_WITHOUT = "orders that answers name are taken as new, so a change of their amounts is not noticed"
_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    area TEXT NOT NULL, id TEXT NOT NULL, day INTEGER NOT NULL, acct TEXT NOT NULL, amount INTEGER NOT NULL,
    currency TEXT NOT NULL, refunded INTEGER NOT NULL, PRIMARY KEY (area, id)
) WITHOUT ROWID;
"""


class KnownOrders:
    """The file. Each call returns when what it wrote is on the disk; one greenlet at a time may use it.

    What is kept decides nothing but which orders are rejected, so it may be ahead of what the broker has. Every call raises
    AnalyticsError where the file can't be used.
    """

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _TABLES, _WITHOUT)
        self._db = self._file.connection

    def of(self, area: str, ids: Iterable[str]) -> dict[str, Order]:
        """Return what is known of orders of an area, by id."""
        wanted = list(dict.fromkeys(ids))
        return self._file.run(lambda: self._of(area, wanted)) if wanted else {}

    def put(self, area: str, orders: Mapping[str, Order]) -> None:
        """Keep orders of an area, by id."""
        rows = [
            (area, id_, one.day, one.acct, one.amount, one.currency, one.refunded)
            for id_, one in orders.items()
        ]
        if rows:
            self._file.run(
                lambda: self._file.many("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _of(self, area: str, ids: list[str]) -> dict[str, Order]:
        found: dict[str, Order] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            query = (
                "SELECT id, day, acct, amount, currency, refunded FROM orders WHERE area = ? "
                f"AND id IN ({','.join('?' * len(some))})"
            )
            rows = self._db.execute(query, [area, *some]).fetchall()
            found.update({row[0]: Order(*row[1:]) for row in rows})
        return found
