"""Journals and rejected records with pseudonyms: each file is replaced as a whole, with the times that it had."""

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

import msgspec

from analytics.config import Config
from analytics.core.journal_lines import whole_lines
from analytics.core.tuples import UNDECODABLE
from analytics.errors import AnalyticsError
from analytics.spouts.ends import journal_folders
from analytics.spouts.mapping.compiled import LineMapping
from analytics.spouts.rejected import Reject
from analytics.spouts.renaming import Renaming
from analytics.system.files import sync_folder
from analytics.system.locks import try_lock

_NAME = re.compile(r"(gamelog|payment|syncuser|rejected)_\d{12}(-\d+)?\.txt(\.gz)?")
_BLOCK = 4 << 20
_LEVEL = 6

Change = Callable[[bytes], bytes]
"""Takes whole lines, and the last one also where its newline is missing."""

_decode_reject = msgspec.json.Decoder(Reject).decode


def record_files(config: Config) -> list[Path]:
    """Return the journals and the files of rejected records, plain and gzipped: of the data folder and, with an engine, all hosts' journals."""
    folders = {config.data, *journal_folders(config)}
    return sorted(path for folder in folders for path in folder.iterdir() if _NAME.fullmatch(path.name))


def change_of(path: Path, renaming: Renaming, mappings: Mapping[str, LineMapping]) -> Change:
    """Return what puts pseudonyms into such a file."""
    if not path.name.startswith("rejected"):
        return partial(_journaled, renaming, mappings)

    def rejected(block: bytes) -> bytes:
        return b"".join([_rejected(line, renaming, mappings) for line in block.splitlines(keepends=True)])

    return rejected


def would_change(path: Path, change: Change) -> bool:
    """Read a file, and return whether it has anything to replace.

    Raise AnalyticsError if another process writes to it, or packs it, or it is damaged.
    """
    if path.suffix == ".gz" and path.with_suffix("").exists():
        raise AnalyticsError(
            f"{path} and {path.with_suffix('').name} are both there, as one of them is being packed or unpacked. "
            "Let that end, or delete the incomplete one, then call this again"
        )
    with path.open("rb") as file:
        if not try_lock(file.fileno()):
            raise AnalyticsError(f"{path}: a process writes to it. Let it end, then call this again")
    found = False
    for block in blocks(path):
        found |= change(block) != block
    return found


def rewrite(path: Path, change: Change) -> None:
    """Replace a file durably by what ``change`` makes of it."""
    with replacing(path, path.with_name(f".{path.name}.new")) as raw:
        packed = gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) if path.suffix == ".gz" else None
        file = cast(IO[bytes], packed or raw)
        for block in blocks(path):
            file.write(change(block))
        if packed is not None:
            packed.close()


@contextmanager
def replacing(path: Path, beside: Path) -> Iterator[BinaryIO]:
    """Yield a file, ``beside``, that durably takes the place of ``path`` once it is written, with its mode and times."""
    status = path.stat()
    with beside.open("wb") as file:
        os.fchmod(file.fileno(), status.st_mode & 0o7777)
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.utime(beside, ns=(status.st_atime_ns, status.st_mtime_ns))  # what is old is deleted by these times
    beside.replace(path)
    sync_folder(path.parent)


def _journaled(renaming: Renaming, mappings: Mapping[str, LineMapping], block: bytes) -> bytes:
    new = renaming.journal(block, mappings)
    if len(new) != len(block):
        # What is accepted and counted of a journal is known by its bytes.
        raise AnalyticsError(
            f"expected lines with pseudonyms to have {len(block):,} bytes as before, got {len(new):,}: this is a fault of the suite. "
            "The file was not changed"
        )
    return new


def _rejected(line: bytes, renaming: Renaming, mappings: Mapping[str, LineMapping]) -> bytes:
    try:
        one = _decode_reject(line)
        new = renaming.reject(one, mappings)
    except UNDECODABLE:
        return line
    return line if new == one else msgspec.json.encode(new) + b"\n"


def blocks(path: Path) -> Iterator[bytes]:
    """Yield whole lines, some megabytes at a time, and what follows the last newline. Raise AnalyticsError where the file is damaged."""
    with path.open("rb") as raw:
        file = cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb")) if path.suffix == ".gz" else raw
        rest = b""
        try:
            while data := file.read(_BLOCK):
                block, rest = whole_lines(rest, data)
                if block:
                    yield block
        except (EOFError, OSError, zlib.error) as error:
            raise AnalyticsError(
                f"{path} can't be read: {error}. Move it out of the folder, or repair it"
            ) from error
        if rest:
            yield rest
