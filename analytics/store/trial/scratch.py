"""The collection that a trial writes to, and leaves no trace of."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from analytics.store.trial.finding import Finding, Grade

COLLECTION = "check"
"""Not one of the suite's own: nothing that runs reads it, and removing it can't remove a result."""

STALE = timedelta(hours=1)
"""Documents of trials that were killed are removed by a later one after that; no trial takes so long."""

REMOVE_SECONDS = 3.0
UNAUTHORIZED = 13
"""MongoDB's code for an action that the user has no right to."""


class Scratch:
    """One document in the collection ``check``, and the name that it has there."""

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
        """Remove the document, and the collection unless another trial uses it. Return what the operator should know."""
        try:
            with pymongo.timeout(REMOVE_SECONDS):
                self._remove()
        except OperationFailure as error:
            return [_STAYS] if error.code == UNAUTHORIZED else []
        except PyMongoError:
            # The server is away, which other findings report. A later trial removes the document.
            pass
        return []

    def _remove(self) -> None:
        # Not by majority: where that can't be had, this should not wait for it.
        collection = self.collection(WriteConcern(w=1))
        collection.delete_one({"_id": self.id})
        collection.delete_many({"at": {"$lt": datetime.now(UTC) - STALE}})
        if COLLECTION in self.database.list_collection_names() and collection.find_one() is None:
            collection.drop()


_STAYS = Finding(
    Grade.WARNING,
    f"the user may not drop the collection `{COLLECTION}`, which this trial wrote to, so it stays, empty; "
    "grant dropCollection on it, as docs/mongodb.md shows",
)
