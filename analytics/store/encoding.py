"""Documents as BSON. A document that can't be stored is refused by name before anything is written.

Decoded documents have plain ``int`` and ``float``, however they are stored, so that readers can add them up and write them
as JSON.
"""

import math
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import bson
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.decimal128 import Decimal128
from bson.errors import InvalidDocument
from bson.int64 import Int64

from analytics.core.compiled import lists_as_bson
from analytics.errors import AnalyticsError
from analytics.store.store import MAX_DOCUMENT_BYTES, Document, Write


class _Long(TypeDecoder):
    """A 64-bit integer, for which pymongo has a class."""

    bson_type = Int64

    def transform_bson(self, value: Int64) -> int:
        return int(value)


class _Decimal(TypeDecoder):
    """A decimal number. The suite writes none, but a document may be corrected by hand."""

    bson_type = Decimal128

    def transform_bson(self, value: Decimal128) -> int | float:
        exact = value.to_decimal()
        if exact.is_nan():
            return math.nan
        whole = exact.is_finite() and exact == exact.to_integral_value() and abs(exact) < 2**63
        return int(exact) if whole else float(exact)


OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True, tzinfo=UTC, type_registry=TypeRegistry([_Long(), _Decimal()])
)


LONG_LIST = 8
"""So many texts are encoded faster on their own."""


def encode(collection: str, writes: Sequence[Write]) -> list[bytes]:
    """Return the BSON of each write's document, with its ``_id`` in front.

    Raise AnalyticsError if an id occurs twice, BSON can't represent a value, or a document has more than 16 MB.
    """
    if len({write.id for write in writes}) != len(writes):
        ids = [write.id for write in writes]
        twice = sorted({id for id in ids if ids.count(id) > 1})
        raise AnalyticsError(
            f"{collection}: expected each id once in a call of write, got {twice[:5]} more than once"
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
        document = {"_id": write.id, **write.document}
        lists = lists_as_bson(document, LONG_LIST)
        for name in lists:
            del document[name]
        raw = bson.encode(document, codec_options=OPTIONS)
        if lists:
            size = len(raw) + sum(map(len, lists.values()))
            raw = b"".join([size.to_bytes(4, "little"), raw[4:-1], *lists.values(), raw[-1:]])
    except (InvalidDocument, OverflowError, ValueError, TypeError, RecursionError) as error:
        raise AnalyticsError(f"{where} can't be written as BSON: {str(error)[:500]}") from error
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise AnalyticsError(
            f"{where} has {len(raw)} bytes, MongoDB accepts at most {MAX_DOCUMENT_BYTES}. "
            f"Its longest field is {_longest(write.document)!r}: keep that in parts"
        )
    return raw


def _longest(document: Document) -> str:
    return max(document, key=lambda name: len(bson.encode({name: document[name]})))
