"""Drops old documents, as ``documents.keep_days`` says: found by index, a portion at a time.

    horizon noted ──▶ document without parts ──────────────────────────────────────────▶ removed, if it is as it was read
                 └──▶ document with parts ──▶ emptied, at its next version ──▶ parts deleted ──▶ removed, days later

A worker may be about to write a document that is dropped. Without parts it is stored again, as a whole, and dropped by a later pass. With parts,
its write has to be refused, as it would name parts that are gone: so such a document is emptied first, and its number stays above
what anybody has read. Late records never begin a dropped document again, nor change an emptied one (:class:`analytics.runtime.horizons.KeptPeriods`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from analytics.config import Config, areas, catalogue
from analytics.core.bolt import Bolt
from analytics.core.document import EMPTIED, part_ids
from analytics.core.portions import portions
from analytics.errors import Unavailable
from analytics.runtime.horizons import DAY, Horizons
from analytics.runtime.lost_writes import EXPIRY_SECONDS
from analytics.store import Store, Write
from analytics.store.store import Document, is_version

EVERY_SECONDS = 3_600.0
AT_ONCE = 100
QUIET_SECONDS = 2 * EXPIRY_SECONDS
"""A document that was written within this time stays: a worker that starts looks for those that it wrote last."""


class Dropping:
    """Passes over the documents, one after the other.

    ``removed``: how many documents are gone; ``error``: why the last step failed, "" if it did not.
    """

    def __init__(self, config: Config, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        self._bolts = catalogue(config)
        self._areas = areas(config)
        self._keep_days = config.documents.keep_days
        self._pass: Iterator[None] | None = None
        self._next = 0.0
        self.removed = 0
        self.error = ""

    def is_due(self) -> bool:
        """Whether there is something to do."""
        return bool(self._keep_days) and (self._pass is not None or time.monotonic() >= self._next)

    def step(self) -> None:
        """Drop one portion. Where the store does not answer, ``error`` says so, and the next call begins a new pass."""
        running, self._pass = self._pass or self._begun(), None
        try:
            if next(running, self) is None:
                self._pass = running
            else:
                self._next = time.monotonic() + EVERY_SECONDS
            self.error = ""
        except Unavailable as error:
            self.error = str(error)

    def _begun(self) -> Iterator[None]:
        """Yield after each portion."""
        horizons = Horizons.load(self._store, self._keep_days)
        for name, days in self._keep_days.items():
            bolt = self._bolts[name]
            horizons.move(self._store, name, int(self._now()) - days * DAY)
            for area in self._areas.values():
                until = horizons.first(bolt, area.zone)
                found = self._store.find(name, area=area.id, until=until, batch=AT_ONCE)
                for some in portions(found, AT_ONCE):
                    self._drop(bolt, some)
                    yield

    def _drop(self, bolt: Bolt, some: Sequence[Document]) -> None:
        quiet = datetime.fromtimestamp(self._now() - QUIET_SECONDS, UTC)
        for document in some:
            updated = document.get("updated")
            if isinstance(updated, datetime) and updated > quiet:
                continue
            if "parts" in document and is_version(document):
                self._empty(bolt, document)
                continue
            if parts := document.get(EMPTIED):
                self._store.delete(bolt.name, parts)
            self.removed += self._store.remove(bolt.name, document["_id"], document.get("_v"))

    def _empty(self, bolt: Bolt, document: Document) -> None:
        """Take a document's lists away. It is removed when no older version of it can be under way."""
        ids = part_ids(document)
        kept = {name: value for name, value in document.items() if name != "parts"}
        changed = {
            "_v": document["_v"] + 1,
            "updated": datetime.fromtimestamp(self._now(), UTC),
            EMPTIED: ids,
        }
        empty = kept | {name: [] for name in bolt.list_fields} | changed
        if not self._store.write(bolt.name, [Write(document["_id"], empty, document["_v"])]):
            self._store.delete(bolt.name, ids)
