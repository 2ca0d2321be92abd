"""Conditional writes as MongoDB's commands ``insert`` and ``update``: their bulks and their conditions.

The commands bypass pymongo's bulk API, which costs the client more per write than encoding its BSON. The driver does not
retry such commands. After a broken connection the outcome is unknown anyway, and the caller of the store repeats the call.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument

from analytics.store.dialect import Dialect
from analytics.store.encoding import encode
from analytics.store.store import Document, Write

BULK_DOCUMENTS = 500  # in one command; bounds the time for which a single-threaded server is blocked
BULK_BYTES = 8 * 1024 * 1024  # in one command; MongoDB accepts 48 MB
DUPLICATE_KEY = 11000  # MongoDB's code
CONVERSION_FAILURE = 241  # MongoDB's code
REFUSALS = frozenset([DUPLICATE_KEY, CONVERSION_FAILURE])
"""Codes of a write whose condition fails."""

Bulk = list[tuple[Write, RawBSONDocument]]

# Fails with CONVERSION_FAILURE for any document: the word "string", the type of its _id, is no number. A constant
# would already fail when the update is parsed, before its condition is evaluated.
_REFUSE: Document = {"$toInt": {"$type": "$_id"}}


class _Encoded(RawBSONDocument):
    """An encoded document. Pymongo asks whether it is empty, for which the base class would decode all of it."""

    def __bool__(self) -> bool:
        return True


def bulks(collection: str, writes: Sequence[Write]) -> Iterator[Bulk]:
    """Yield ``writes`` with their documents encoded, in bulks of limited number and size.

    Raise AnalyticsError if one of the documents can't be stored; no bulk was yielded yet.
    """
    bulk: Bulk = []
    size = 0
    for write, raw in zip(writes, encode(collection, writes), strict=True):
        if bulk and (len(bulk) == BULK_DOCUMENTS or size + len(raw) > BULK_BYTES):
            yield bulk
            bulk, size = [], 0
        bulk.append((write, _Encoded(raw)))
        size += len(raw)
    if bulk:
        yield bulk


def insert(collection: str, bulk: Bulk) -> dict[str, Any]:
    """Return the command that inserts the documents of ``bulk``; an existing ``_id`` is refused."""
    return {"insert": collection, "documents": [document for _, document in bulk], "ordered": False}


def update(collection: str, bulk: Bulk, dialect: Dialect) -> dict[str, Any]:
    """Return the command that replaces the documents of ``bulk``, each on its condition, or inserts those that are gone."""
    updates = []
    for write, document in bulk:
        if write.expected is None:
            updates.append(_statement({"_id": write.id}, document))
        elif dialect.version is None:
            updates.append(_in_pipeline(write.id, write.expected, document))
        else:
            updates.append(_in_filter(write.id, dialect.version(write.expected), document))
    return {"update": collection, "updates": updates, "ordered": False}


def refused(bulk: Bulk, reply: Document) -> Bulk:
    """Return the writes of ``bulk`` that the ``writeErrors`` of a reply list."""
    return [bulk[one["index"]] for one in reply.get("writeErrors", ())]


def _in_pipeline(id_: str, expected: int, document: RawBSONDocument) -> Document:
    """Put the condition on ``_v`` into an update of ``{_id}``, which MongoDB finds without its query planner.

    It is exact: the server evaluates condition and replacement on one version of the document. A refusal is an error of
    this statement, so the reply names it by its index. If the document is gone, the pipeline starts from the
    filter's fields alone: a document that has only an ``_id`` counts as gone as well.
    """
    found = {"_id": id_}
    holds = {"$or": [{"$eq": ["$_v", expected]}, {"$eq": ["$$ROOT", {"$literal": found}]}]}
    return _statement(found, [{"$replaceWith": {"$cond": [holds, {"$literal": document}, _REFUSE]}}])


def _in_filter(id_: str, version: object, document: RawBSONDocument) -> Document:
    """Put the condition on ``_v`` into the filter: if another version is stored, the upsert is a duplicate."""
    return _statement({"_id": id_, "_v": version}, document)


def _statement(wanted: Document, change: Any) -> Document:
    return {"q": wanted, "u": change, "upsert": True}
