"""Restores a backup into an empty database and an empty data folder."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from analytics.backup import documents
from analytics.backup.folder import DATA, DATABASE, Contents, verified
from analytics.broker.opening import RESTORING
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.store import store_uri
from analytics.store.copying import collections
from analytics.store.embedded.alone import running_alone
from analytics.store.mongo import translated_errors
from analytics.system import files

MAY_STAY = {"README.md", "run", "log", "store", RESTORING, "broker.lock"}
"""What an empty data folder may hold: nothing in it says what was counted."""


def restore(config: Config, folder: Path, report: Callable[[str], None]) -> Contents:
    """Restore the backup in ``folder``: of a host without a Queue the data folder alone. No node may run: see the command.

    One that was interrupted is made again from the beginning; until one ends, the broker does not start.

    Args:
        report: called with what was done.

    Raises:
        AnalyticsError: the backup is damaged, or database or data folder are not empty.
        Unavailable: the database does not answer.
    """
    contents = verified(folder)
    report(f"checked {len(contents.files):,} files of the backup: all are as they were written")
    data = config.data.absolute()
    marker = data / RESTORING
    interrupted = marker.exists()
    data.mkdir(parents=True, exist_ok=True, mode=0o750)
    occupied = sorted(entry.name for entry in data.iterdir() if entry.name not in MAY_STAY)
    if occupied and not interrupted:
        raise AnalyticsError(
            f"{data} already has {occupied[0]}: restore into an empty data folder; move what is there away"
        )
    with _database(config, contents) as database, translated_errors("restoring"):
        if database is not None:
            _empty(database, interrupted)
        files.write(marker, b"", 0o640)
        for name in occupied:
            _remove(data / name)
        _copy_data(folder / DATA, data, contents)
        report("the data folder")
        if database is not None:
            loaded = documents.load(database, folder / DATABASE, contents.collections)
            restored = sum(one.documents for one in loaded)
            report(f"{restored:,} documents")
    marker.unlink()
    files.sync_folder(data)
    return contents


def _empty(database: documents.Raw, interrupted: bool) -> None:
    """Remove what an interrupted restoration has inserted. Raise AnalyticsError if there are documents without one."""
    for collection in collections(database):
        if interrupted:
            collection.delete_many({})  # needs no more rights than the suite has
        elif collection.find_one() is not None:
            raise AnalyticsError(
                f"the database already has documents, in {collection.full_name} for one: restore into an empty one. "
                "Name another mongodb.database, or drop this one"
            )


@contextmanager
def _database(config: Config, contents: Contents) -> Iterator[documents.Raw | None]:
    """Connect to the configured database, None if the backup has no documents. The embedded server is run for as long."""
    if not contents.has_documents:
        yield None
        return
    name = config.mongodb.database
    if config.mongodb.uri or config.mongodb.uri_env:
        with MongoClient[RawBSONDocument](
            store_uri(config), document_class=RawBSONDocument, serverSelectionTimeoutMS=10_000
        ) as client:
            yield client[name]
        return
    with running_alone(config, "restore") as (_, client):
        yield client[name]


def _copy_data(source: Path, data: Path, contents: Contents) -> None:
    """Copy the files of the data folder, durably."""
    folders = set()
    for name in contents.files:
        if not name.startswith(f"{DATA}/"):
            continue
        target = data / name.removeprefix(f"{DATA}/")
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        shutil.copy2(source / name.removeprefix(f"{DATA}/"), target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
        folders.add(target.parent)
    for folder in (*folders, data):
        files.sync_folder(folder)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
