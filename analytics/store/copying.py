"""Copying collections document by document, as they are, and telling whether two of them are equal."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from analytics.core.portions import portions
from analytics.errors import AnalyticsError

BATCH_BYTES = 8 * 1024 * 1024  # in one insert; MongoDB accepts 48 MB
BATCH_DOCUMENTS = 2000  # bounds memory where documents are small


@dataclass(frozen=True)
class Content:
    """A collection's size and hash. ``digest`` does not depend on the order of documents."""

    database: str
    collection: str
    documents: int
    bytes: int
    digest: str

    @property
    def name(self) -> str:
        """``database.collection``."""
        return f"{self.database}.{self.collection}"


class Digest:
    """Counts documents, and adds up their hashes so that the order does not matter."""

    def __init__(self) -> None:
        self.documents = self.bytes = self._sum = 0

    def add(self, raw: bytes | memoryview) -> None:
        """Count one more document, as BSON."""
        self.documents += 1
        self.bytes += len(raw)
        self._sum += int.from_bytes(hashlib.sha256(raw).digest())

    def content(self, database: str, collection: str) -> Content:
        """Return what was added, under a name."""
        return Content(database, collection, self.documents, self.bytes, f"{self._sum % (1 << 256):064x}")


def collections(database: Database[RawBSONDocument]) -> Iterator[Collection[RawBSONDocument]]:
    """Yield a database's collections by name. Views store nothing: `bin/analytics views` makes them."""
    found = {str(one["name"]): one.get("type") for one in database.list_collections()}
    for name, kind in sorted(found.items()):
        if kind != "view" and not name.startswith("system."):
            yield database[name]


def insert(documents: Iterable[RawBSONDocument], target: Collection[RawBSONDocument]) -> Content:
    """Insert documents in batches, durably, and return what they were. Raise AnalyticsError if the server refuses one."""
    digest = Digest()
    safe = target.with_options(write_concern=WriteConcern(w="majority", j=True))
    for batch in portions(documents, BATCH_DOCUMENTS, lambda document: len(document.raw), BATCH_BYTES):
        for document in batch:
            digest.add(document.raw)
        _insert(safe, batch)
    return digest.content(target.database.name, target.name)


def content(of: Collection[RawBSONDocument]) -> Content:
    """Read a collection, and return its size and hash."""
    digest = Digest()
    for document in of.find(batch_size=BATCH_DOCUMENTS):
        digest.add(document.raw)
    return digest.content(of.database.name, of.name)


def _insert(target: Collection[RawBSONDocument], batch: list[RawBSONDocument]) -> None:
    try:
        target.insert_many(batch, ordered=False)
    except BulkWriteError as error:
        failed: list[dict[str, Any]] = (error.details or {}).get("writeErrors", [])
        first = failed[0].get("errmsg", error) if failed else error
        raise AnalyticsError(f"{target.full_name}: {len(failed)} documents were refused: {first}") from error
