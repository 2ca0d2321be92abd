"""Moves the documents from one engine to the other: copies, reads back, compares, and only then switches.

Positions and states are in the same databases, so they move with the documents. Indexes do not: the nodes create those that
they need. ``engine.json`` names the source until everything is compared. An interrupted move leaves the source unchanged,
and the next one starts over.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.store.embedded.choice import (
    EngineRecord,
    Name,
    holder,
    open_engine,
    other,
    read_record,
    write_record,
)
from analytics.store.embedded.engine import HOST, Engine
from analytics.store.embedded.password import make_folder
from analytics.store.embedded.process import take_folder
from analytics.store.embedded.server import EmbeddedServer
from analytics.store.mongo import translated_errors
from analytics.system.ports import free_port

BATCH_BYTES = 8 * 1024 * 1024  # in one insert; MongoDB accepts 48 MB
BATCH_DOCUMENTS = 2000  # bounds memory where documents are small
OWN_DATABASES = frozenset(["admin", "config", "local", "health"])
"""The servers' own databases, and the one of the node's health checks."""


class CopyDiffers(AnalyticsError):
    """The target returned other documents than the source has."""


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


class _Digest:
    """Counts documents, and adds up their hashes so that the order does not matter."""

    def __init__(self) -> None:
        self.documents = self.bytes = self._sum = 0

    def add(self, raw: bytes | memoryview) -> None:
        self.documents += 1
        self.bytes += len(raw)
        self._sum += int.from_bytes(hashlib.sha256(raw).digest())

    def content(self, database: str, collection: str) -> Content:
        return Content(database, collection, self.documents, self.bytes, f"{self._sum % (1 << 256):064x}")


def direction(config: Config, source: Name | None, target: Name | None) -> tuple[Name, Name]:
    """Return source and target: from the engine that has the documents to the other, unless one is named.

    Raises:
        AnalyticsError: both are the same, or no engine has documents.
    """
    if source is None:
        source = other(target) if target is not None else holder(config)
    if source is None:
        raise AnalyticsError(
            f"{config.data / 'store'}: neither engine has documents, so there is nothing to move"
        )
    target = target or other(source)
    if source == target:
        raise AnalyticsError(
            f"expected two engines, got {source} for both; leave --from out, or name the other one"
        )
    return source, target


def move(
    config: Config,
    source_name: Name,
    target_name: Name,
    overwrite: bool,
    report: Callable[[str, Content], None],
) -> None:
    """Copy every document, compare, and record that the target keeps them from now on.

    Both servers run on spare ports meanwhile, so nothing else writes. No other node may run: see the command.

    Args:
        overwrite: replace the documents that the target has.
        report: called with ``copied`` and ``compared`` for each collection.

    Raises:
        AnalyticsError: the source has no data, the target has documents already, a server does not run, or a node
            ``store`` holds the folder.
        CopyDiffers: the comparison failed. The source stays in use.
    """
    source = open_engine(source_name, config, free_port(HOST))
    if not source.holds_data:
        raise AnalyticsError(f"{source.database} holds no data of {source_name}, so there is nothing to move")
    make_folder(source.folder)
    with ExitStack() as stack:
        stack.enter_context(take_folder(source.folder))
        theirs = stack.enter_context(_running(source, config))
        ours = stack.enter_context(_running(open_engine(target_name, config, free_port(HOST)), config))
        with translated_errors("moving"):
            _make_room(config, ours, source_name, target_name, overwrite)
            copied = []
            for collection in _collections(theirs):
                copied.append(_copy(collection, ours[collection.database.name][collection.name]))
                report("copied", copied[-1])
            for content in copied:
                _compare(content, ours[content.database][content.collection])
                report("compared", content)
        # Stop the servers first, so that the target is complete on disk before it is used.
        stack.pop_all().close()
    write_record(config, EngineRecord(target_name, moved_from=source_name))


@contextmanager
def _running(engine: Engine, config: Config) -> Iterator[MongoClient[RawBSONDocument]]:
    """Run an engine's server and connect to it."""
    server = EmbeddedServer(engine, config.data.absolute() / "log" / "store-move.log")
    try:
        server.start()
        with MongoClient[RawBSONDocument](
            engine.uri(), document_class=RawBSONDocument, serverSelectionTimeoutMS=10_000
        ) as client:
            yield client
    finally:
        server.stop()


def _make_room(
    config: Config, client: MongoClient[RawBSONDocument], source: Name, target: Name, overwrite: bool
) -> None:
    """Record the start of the move, and empty the target. Raise AnalyticsError if it has documents of its own."""
    record = read_record(config)
    interrupted = record is not None and record.moving_to == target
    occupied = next((found for found in _collections(client) if found.find_one() is not None), None)
    if occupied is not None and not interrupted and not overwrite:
        raise AnalyticsError(
            f"{target} already has documents, in {occupied.full_name} for one. To replace all that it has, add --overwrite"
        )
    write_record(config, EngineRecord(source, moving_to=target))
    for name in {collection.database.name for collection in _collections(client)}:
        client.drop_database(name)


def _collections(client: MongoClient[RawBSONDocument]) -> Iterator[Collection[RawBSONDocument]]:
    """Yield every collection that is not a server's own. Views store nothing: `bin/analytics views` makes them."""
    for database in sorted(set(client.list_database_names()) - OWN_DATABASES):
        found = {str(one["name"]): one.get("type") for one in client[database].list_collections()}
        for name, kind in sorted(found.items()):
            if kind != "view" and not name.startswith("system."):
                yield client[database][name]


def _copy(source: Collection[RawBSONDocument], target: Collection[RawBSONDocument]) -> Content:
    """Insert all documents of one collection into the other, as they are, and return what they were."""
    digest = _Digest()
    safe = target.with_options(write_concern=WriteConcern(w="majority", j=True))
    batch: list[RawBSONDocument] = []
    size = 0
    for document in source.find(batch_size=BATCH_DOCUMENTS):
        digest.add(document.raw)
        batch.append(document)
        size += len(document.raw)
        if size >= BATCH_BYTES or len(batch) >= BATCH_DOCUMENTS:
            _insert(safe, batch)
            batch, size = [], 0
    _insert(safe, batch)
    return digest.content(source.database.name, source.name)


def _insert(target: Collection[RawBSONDocument], batch: list[RawBSONDocument]) -> None:
    if not batch:
        return
    try:
        target.insert_many(batch, ordered=False)
    except BulkWriteError as error:
        failed: list[dict[str, Any]] = (error.details or {}).get("writeErrors", [])
        first = failed[0].get("errmsg", error) if failed else error
        raise AnalyticsError(f"{target.full_name}: {len(failed)} documents were refused: {first}") from error


def _compare(expected: Content, target: Collection[RawBSONDocument]) -> None:
    """Read the collection back. Raise CopyDiffers if it is not what was copied."""
    digest = _Digest()
    for document in target.find(batch_size=BATCH_DOCUMENTS):
        digest.add(document.raw)
    found = digest.content(expected.database, expected.collection)
    if found != expected:
        raise CopyDiffers(
            f"{expected.name}: expected {expected.documents:,} documents with hash {expected.digest[:16]}, read back "
            f"{found.documents:,} with {found.digest[:16]}. The source stays in use; move again"
        )
