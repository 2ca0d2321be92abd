"""Moves the documents from one engine to the other: copies, reads back, compares, and only then switches.

Positions and states are in the same databases, so they move with the documents. Indexes do not: the nodes create those that
they need. ``engine.json`` names the source until everything is compared. An interrupted move leaves the source unchanged,
and the next one starts over.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection

from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.store.copying import BATCH_DOCUMENTS, Content, collections, content, insert
from analytics.store.embedded.alone import running
from analytics.store.embedded.choice import (
    EngineRecord,
    Name,
    holder,
    open_engine,
    other,
    read_record,
    write_record,
)
from analytics.store.embedded.engine import HOST
from analytics.store.embedded.password import make_folder
from analytics.store.embedded.process import take_folder
from analytics.store.mongo import translated_errors
from analytics.system.ports import free_port

OWN_DATABASES = frozenset(["admin", "config", "local", "health"])
"""The servers' own databases, and the one of the node's health checks."""


class CopyDiffers(AnalyticsError):
    """The target returned other documents than the source has."""


def direction(config: Config, source: Name | None, target: Name | None) -> tuple[Name, Name]:
    """Return source and target: from the engine that has the documents to the other, unless one is named.

    Raise AnalyticsError if both are the same, or no engine has documents.
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
    log = config.data.absolute() / "log" / "store-move.log"
    with ExitStack() as stack:
        stack.enter_context(take_folder(source.folder))
        theirs = stack.enter_context(running(source, log))
        ours = stack.enter_context(running(open_engine(target_name, config, free_port(HOST)), log))
        with translated_errors("moving"):
            _make_room(config, ours, source_name, target_name, overwrite)
            copied = []
            for collection in _collections(theirs):
                documents = collection.find(batch_size=BATCH_DOCUMENTS)
                copied.append(insert(documents, ours[collection.database.name][collection.name]))
                report("copied", copied[-1])
            for one in copied:
                _compare(one, ours[one.database][one.collection])
                report("compared", one)
        # Stop the servers first, so that the target is complete on disk before it is used.
        stack.pop_all().close()
    write_record(config, EngineRecord(target_name, moved_from=source_name))


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
    """Yield every collection that is not a server's own."""
    for database in sorted(set(client.list_database_names()) - OWN_DATABASES):
        yield from collections(client[database])


def _compare(expected: Content, target: Collection[RawBSONDocument]) -> None:
    """Read the collection back. Raise CopyDiffers if it is not what was copied."""
    found = content(target)
    if found != expected:
        raise CopyDiffers(
            f"{expected.name}: expected {expected.documents:,} documents with hash {expected.digest[:16]}, read back "
            f"{found.documents:,} with {found.digest[:16]}. The source stays in use; move again"
        )
