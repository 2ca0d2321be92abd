"""Ends of journals: those that spouts report, and of others that are counted, for backfills and for spouts that delete old ones.

    engine_journals     {"_id": "web1/gamelog_202501", "ends": [["web1/gamelog_202501010000.txt", 4096], …], "_v": 3}

The position, which each batch writes, has those that are reported. A document has a month of one spout's.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from analytics.errors import Unavailable
from analytics.spouts.ends import durable_ends
from analytics.spouts.journal import is_there
from analytics.store import Store, Write

COLLECTION = "engine_journals"
READ_AT_ONCE = 20

_MONTH = re.compile(r"(.*_\d{6})\d{6}(-\d+)?\.txt")


class ClosedJournals:
    """Journals that are counted as far as they go. Every method raises Unavailable if the store does not answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ends: dict[str, int] | None = None

    def forget(self) -> None:
        """Read everything again: another driver may have added to it."""
        self._ends = None

    def ends(self) -> Mapping[str, int]:
        """Return per journal the byte before which everything is counted."""
        if self._ends is None:
            self._ends = {}
            left = iter(list(self._store.ids(COLLECTION)))
            while some := list(islice(left, READ_AT_ONCE)):
                for document in self._store.load(COLLECTION, some).values():
                    self._ends |= dict(document["ends"])
        return self._ends

    def add(self, ends: Mapping[str, int]) -> None:
        """Keep these ends, durably. May be called again."""
        months: dict[str, dict[str, int]] = {}
        for journal, end in ends.items():
            match = _MONTH.fullmatch(journal)
            months.setdefault(match[1] if match else journal, {})[journal] = end
        while months:
            stored = self._store.load(COLLECTION, list(months))
            writes = []
            for month, its in months.items():
                before = stored.get(month, {"ends": (), "_v": 0})
                merged = dict(before["ends"]) | its
                document = {"ends": [list(one) for one in merged.items()], "updated": datetime.now(UTC)}
                writes.append(Write(month, document | {"_v": before["_v"] + 1}, before["_v"]))
            refused = self._store.write(COLLECTION, writes)
            months = {month: months[month] for month in refused}
        if self._ends is not None:
            self._ends |= ends


class ReportedJournals:
    """The journals of the shared folder that spouts report; what becomes of those that they report no more, or again.

    ``ends``: per journal its durable end, as it was read last.
    """

    def __init__(self, store: Store, shared: Path) -> None:
        self._closed = ClosedJournals(store)
        self._shared = shared
        self.ends: Mapping[str, int] = {}

    def read(self) -> None:
        """Read what spouts report. Raise Unavailable if the shared folder is away."""
        try:
            self.ends = durable_ends(self._shared)
        except OSError as error:
            raise Unavailable(f"the shared folder {self._shared} can't be read: {error}") from error

    def forget(self) -> None:
        """Read again what others may have changed in the store."""
        self._closed.forget()

    def again(self, planned: Mapping[str, int]) -> dict[str, int]:
        """Return the ends of closed journals that are reported again, as their spout did not know that they are counted."""
        unknown = self.ends.keys() - planned.keys()
        closed = self._closed.ends() if unknown else {}
        return {name: closed[name] for name in unknown if name in closed}

    def close_others(self, planned: Mapping[str, int]) -> dict[str, int]:
        """Close the journals that nobody reports any more, and forget those that are gone; return the ends of the others."""
        others = {name: end for name, end in planned.items() if name not in self.ends}
        self._closed.add({name: end for name, end in others.items() if is_there(self._shared / name)})
        return {name: end for name, end in planned.items() if name not in others}
