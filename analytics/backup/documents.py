"""Documents: from a database that is written to meanwhile into files, and back into an empty one."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database

from analytics.backup.folder import SavedFile, Summing
from analytics.core.document import part_ids
from analytics.core.portions import portions
from analytics.errors import AnalyticsError
from analytics.store import POSITIONS
from analytics.store.copying import BATCH_DOCUMENTS, Content, Digest, collections, insert
from analytics.store.store import PARTS_AT_ONCE
from analytics.system.files import sync_folder

AS_THEY_ARE = bson.CodecOptions(document_class=RawBSONDocument)
SUFFIX = ".bson.gz"
LAST = ("engine_plans", "engine_rules")
"""An engine's plans, which documents name by their batches, and what plans name; see :mod:`analytics.engine.rules`."""
FASTEST = 1
"""The level of gzip: a higher one takes several times as long for a fifth less."""

Raw = Database[RawBSONDocument]


def dump(database: Raw, folder: Path, step: Callable[[], None]) -> Iterator[tuple[Content, SavedFile]]:
    """Write a file for each collection, the positions first and an engine's plans and rules last; yield what each has.

    So documents are as new as the positions or newer, and the plan of every batch that a document includes is there, with its rules.

    Each document is as it was at some moment, with those parts of its lists that it had then. ``step``: called often.
    """
    folder.mkdir(mode=0o750)
    found = {collection.name: collection for collection in collections(database)}
    for name in sorted(found, key=lambda name: (name != POSITIONS, name in LAST, name)):
        digest = Digest()
        with (folder / f"{name}{SUFFIX}").open("xb") as file:
            saved = Summing(file)
            with gzip.GzipFile(name, "wb", FASTEST, saved, mtime=0) as packed:
                for number, document in enumerate(_documents(found[name])):
                    digest.add(document.raw)
                    packed.write(document.raw)
                    if number % BATCH_DOCUMENTS == 0:
                        step()
        yield digest.content(database.name, name), saved.saved()
    sync_folder(folder)


def load(database: Raw, folder: Path, contents: list[Content]) -> Iterator[Content]:
    """Insert all documents, the positions last; yield the content of each collection.

    Raise AnalyticsError if the server refuses a document, or a file has others than were dumped.
    """
    for expected in sorted(contents, key=lambda content: content.collection == POSITIONS):
        with gzip.open(folder / f"{expected.collection}{SUFFIX}", "rb") as file:
            documents = bson.decode_file_iter(cast("IO[bytes]", file), AS_THEY_ARE)
            found = insert(documents, database[expected.collection])
        if (found.documents, found.digest) != (expected.documents, expected.digest):
            raise AnalyticsError(
                f"{expected.collection}: expected {expected.documents:,} documents with hash {expected.digest[:16]}, the "
                f"backup has {found.documents:,} with {found.digest[:16]}. Restore another backup"
            )
        yield found


def _documents(collection: Collection[RawBSONDocument]) -> Iterator[RawBSONDocument]:
    """Yield each document after the parts of its lists. Parts that nothing refers to are left out."""
    for document in collection.find(batch_size=BATCH_DOCUMENTS):
        if "part_of" in document:
            continue
        yield from _with_parts(collection, document) if "parts" in document else (document,)


def _with_parts(
    collection: Collection[RawBSONDocument], document: RawBSONDocument
) -> Iterator[RawBSONDocument]:
    """Yield a document's parts, which never change, then the document: a newer one if a writer has removed parts meanwhile."""
    written: set[str] = set()
    while True:
        missing = False
        ids = [id_ for id_ in part_ids(document) if id_ not in written]
        for asked in portions(ids, PARTS_AT_ONCE):
            found = list(collection.find({"_id": {"$in": asked}}))
            yield from found
            written.update(part["_id"] for part in found)
            missing |= len(found) < len(asked)
        if not missing:
            yield document
            return
        newer = collection.find_one({"_id": document["_id"]})
        if newer is None:
            return
        if newer.raw == document.raw:
            raise AnalyticsError(
                f"{collection.name}: {document['_id']!r} lacks parts of its list. Call `bin/analytics rebuild` first"
            )
        document = newer
