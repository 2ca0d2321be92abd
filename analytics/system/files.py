"""Files that are replaced as a whole: a reader finds the old content or the new, never a part."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path


def write(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replace ``path`` durably. On OSError its content is unchanged."""
    draft(path, data, mode).replace(path)
    sync_folder(path.parent)


def draft(path: Path, data: bytes, mode: int = 0o666, durable: bool = True) -> Path:
    """Write ``data`` to a new file beside ``path``, and return where that is. Its name is this process's alone."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(beside, "wb", opener=lambda name, flags: os.open(name, flags | os.O_CLOEXEC, mode)) as file:
            file.write(data)
            if durable:
                file.flush()
                os.fdatasync(file.fileno())
    except OSError:
        with suppress(OSError):
            beside.unlink()  # what it takes is needed on a full disk
        raise
    return beside


def sync_folder(folder: Path) -> None:
    """Make names that were added to, renamed in or removed from ``folder`` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def numbered(name: str) -> Iterator[str]:
    """Yield a name, and for ever others that are like it: ``log``, ``log-2``, ``log-3`` …"""
    yield name
    yield from (f"{name}-{number}" for number in count(2))
