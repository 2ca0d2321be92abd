"""Which records spouts of this host rejected, where an engine counts: the broker's filter knows it otherwise.

A record that is accepted later, as its mapping was corrected and it was replayed, is rejected no longer. How many there are of each configured
source is reported beside the ends of journals, where ``status`` finds it.
"""

from collections import Counter
from collections.abc import Sequence

from gevent.lock import RLock

from analytics.broker.wire import BatchHeader
from analytics.config import Config
from analytics.core.intervals import Pair
from analytics.core.numberset import NumberSet
from analytics.spouts.database import Database
from analytics.spouts.ends import journal_folder, report_rejected

FILE = "rejected.sqlite"
"""In the folder ``state``."""

_TABLES = "CREATE TABLE IF NOT EXISTS rejected (source TEXT PRIMARY KEY, count INTEGER, numbers BLOB) WITHOUT ROWID;"
_WITHOUT = "rejected records are counted from then on"


class RejectedNumbers:
    """The file, which several processes may use. It is made with the first record that is rejected."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._path = config.data / "state" / FILE
        self._lock = RLock()
        self._file: Database | None = None
        self._changed = self._path.exists()

    def note(self, header: BatchHeader) -> None:
        """Note, durably, which records of a batch were rejected, and which are accepted. May be called again.

        Raise AnalyticsError if the file can't be used.
        """
        if not header.rejected and not (header.ns and self._path.exists()):
            return
        with self._lock:
            file = self._opened()
            self._changed |= file.run(lambda: _note(file, header.source, header.rejected, header.ns))

    def report(self) -> None:
        """Report how many there are, if that has changed. Raise AnalyticsError if that is not possible."""
        if not self._changed:
            return
        with self._lock:
            file, counts = self._opened(), Counter[str]()
            for source, count in file.rows("SELECT source, count FROM rejected"):
                counts[source.rpartition("@")[0] or source] += count
            report_rejected(journal_folder(self._config), counts)
            self._changed = False

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _opened(self) -> Database:
        if self._file is None:
            self._file = Database(self._path, _TABLES, _WITHOUT)
        return self._file


def _note(file: Database, source: str, rejected: Sequence[Pair], accepted: Sequence[Pair]) -> bool:
    """Return whether anything has changed."""
    db = file.connection
    db.execute("BEGIN IMMEDIATE")
    try:
        row = db.execute("SELECT numbers FROM rejected WHERE source = ?", [source]).fetchone()
        numbers = NumberSet.load(row[0]) if row else NumberSet()
        before = numbers.count()
        numbers.update(rejected)
        gone = numbers.discard(accepted)
        changed = bool(gone) or numbers.count() != before
        if changed:
            values = (source, numbers.count(), numbers.dump())
            db.execute("INSERT OR REPLACE INTO rejected VALUES (?, ?, ?)", values)
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    return changed
