"""Documents as BSON: what can't be stored is refused here, by name, before anything is written."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.errors import InvalidDocument

from analytics.errors import AnalyticsError
from analytics.store.store import MAX_DOCUMENT_BYTES, Document, Write

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)


def encode(collection: str, writes: Sequence[Write]) -> list[bytes]:
    """Return the BSON of each write's document, with its ``_id`` in front.

    Raises:
        AnalyticsError: an id occurs twice, a value is none that BSON knows, or a document is over 16 MB.
    """
    if len({write.id for write in writes}) != len(writes):
        ids = [write.id for write in writes]
        twice = sorted({id for id in ids if ids.count(id) > 1})
        raise AnalyticsError(
            f"{collection}: expected each id once in a call of write, got {twice[:5]} more often"
        )
    return [_encode(collection, write) for write in writes]


def decode(raw: bytes) -> Document:
    """Return the document that :func:`encode` wrote."""
    return bson.decode(raw, OPTIONS)


def _encode(collection: str, write: Write) -> bytes:
    where = f"{collection}: document {write.id!r}"
    if write.document.get("_id", write.id) != write.id:
        raise AnalyticsError(f"{where}: expected the same _id in the document, got {write.document['_id']!r}")
    try:
        raw = bson.encode({"_id": write.id, **write.document}, codec_options=OPTIONS)
    except (InvalidDocument, OverflowError, ValueError, TypeError, RecursionError) as error:
        raise AnalyticsError(f"{where} can't be written as BSON: {str(error)[:500]}") from error
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise AnalyticsError(
            f"{where} has {len(raw)} bytes, MongoDB takes {MAX_DOCUMENT_BYTES} at most. "
            f"Its longest field is {_longest(write.document)!r}: keep that in parts"
        )
    return raw


def _longest(document: Document) -> str:
    return max(document, key=lambda name: len(bson.encode({name: document[name]})))
