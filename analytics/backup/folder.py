"""The folder of a backup, and its table of contents.

backup.json                         written last: what the backup has, with checksums
analytics.toml                      the configuration, for reference
data/…                              as in the data folder
database/COLLECTION.bson.gz         documents as BSON, which mongorestore reads too
"""

from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import BinaryIO

import msgspec

from analytics.errors import AnalyticsError
from analytics.store.copying import Content
from analytics.system import files

CONTENTS = "backup.json"
DATABASE = "database"
DATA = "data"
CHUNK = 4 << 20
DIGEST_BYTES = 16


class SavedFile(msgspec.Struct, frozen=True):
    """A file's bytes and their hash."""

    bytes: int
    digest: str


class Contents(msgspec.Struct, frozen=True):
    """What a backup has. ``at`` is when it was begun, in Unix seconds; ``files`` are paths within the folder.

    ``log`` is the identity of the Queue, or the kind of the engine; "" for a host without one, whose backup has no documents either.
    """

    version: str
    at: float
    log: str
    files: dict[str, SavedFile]
    collections: list[Content]

    @property
    def has_documents(self) -> bool:
        """Whether it is of the broker's host, or of one where an engine counts."""
        return bool(self.log)


class Summing:
    """Counts and hashes what is written to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self._bytes = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def saved(self) -> SavedFile:
        return SavedFile(self._bytes, self._hash.hexdigest())


def begin(folder: Path) -> None:
    """Make the folder of a backup. Raise AnalyticsError if it is not empty."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    if any(folder.iterdir()):
        raise AnalyticsError(f"{folder} is not empty: name a new folder, each backup needs its own")


def finish(folder: Path, contents: Contents) -> None:
    """Make the backup valid."""
    files.write(folder / CONTENTS, msgspec.json.format(msgspec.json.encode(contents)))


def verified(folder: Path) -> Contents:
    """Return a backup's contents. Raise AnalyticsError if it is incomplete or damaged."""
    try:
        contents = msgspec.json.decode((folder / CONTENTS).read_bytes(), type=Contents)
    except FileNotFoundError as error:
        raise AnalyticsError(
            f"{folder} has no {CONTENTS}: it is no backup, or one that did not end. Name another one"
        ) from error
    except msgspec.MsgspecError as error:
        raise AnalyticsError(f"{folder / CONTENTS} is damaged: {error}. Restore another backup") from error
    for name, expected in contents.files.items():
        path = folder / name
        if not path.is_file():
            raise AnalyticsError(f"{path} is missing: the backup is incomplete. Restore another one")
        if _read(path) != expected:
            raise AnalyticsError(f"{path} is not what was backed up. Restore another backup")
    return contents


def _read(path: Path) -> SavedFile:
    with path.open("rb") as file:
        digest = file_digest(file, partial(blake2b, digest_size=DIGEST_BYTES))
        return SavedFile(file.tell(), digest.hexdigest())
