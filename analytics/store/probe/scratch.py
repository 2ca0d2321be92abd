"""The collection that a probe writes to and removes."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from analytics.store.probe.finding import Finding, Grade

COLLECTION = "check"
"""Not a collection of results, so removing it can't remove any."""

STALE = timedelta(hours=1)
"""Older documents are of killed probes, and removed; no probe takes this long."""

REMOVE_SECONDS = 3.0  # to remove the document from a server that may be away
UNAUTHORIZED = 13
"""MongoDB's code for a missing right."""


class Scratch:
    """One document in the collection ``check``, and its id."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.database = database
        self.id = secrets.token_hex(12)

    @property
    def document(self) -> dict[str, Any]:
        """The document to write."""
        return {"_id": self.id, "at": datetime.now(UTC)}

    def collection(self, concern: WriteConcern) -> Collection[dict[str, Any]]:
        """Return the collection, with this write concern."""
        return self.database.get_collection(COLLECTION, write_concern=concern)

    def remove(self) -> list[Finding]:
        """Remove the document, and the collection unless another probe uses it. Return findings for the operator."""
        try:
            with pymongo.timeout(REMOVE_SECONDS):
                self._remove()
        except OperationFailure as error:
            return [_STAYS] if error.code == UNAUTHORIZED else []
        except PyMongoError:
            # The server is away, which other findings report. A later probe removes the document.
            pass
        return []

    def _remove(self) -> None:
        # Without a majority: if there is none, this should not wait for it.
        collection = self.collection(WriteConcern(w=1))
        collection.delete_one({"_id": self.id})
        collection.delete_many({"at": {"$lt": datetime.now(UTC) - STALE}})
        if COLLECTION in self.database.list_collection_names() and collection.find_one() is None:
            collection.drop()


_STAYS = Finding(
    Grade.WARNING,
    f"the user may not drop the collection `{COLLECTION}`, which this probe wrote to, so it stays, empty; "
    "grant dropCollection on it, as docs/mongodb.md shows",
)
