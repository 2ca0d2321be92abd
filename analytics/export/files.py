"""The journals of a spout as they lie on the disk, plain and gzipped."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from analytics.config import Config
from analytics.spouts.ends import journal_folders, shared_folder

Spout = Literal["gamelog", "payment", "syncuser"]
SPOUTS: tuple[Spout, ...] = ("gamelog", "payment", "syncuser")

_NAME = re.compile(r"_(\d{8})(\d{4})(?:-(\d+))?\.txt(\.gz)?$")
_SIZE_BYTES = 4


@dataclass(frozen=True, slots=True)
class JournalFile:
    """A journal.

    Attributes:
        stem: its path in the folder of all hosts' journals, without ``.gz``, which stays the same when it is gzipped.
        begun: when it was created, ``YYYYmmddHHMM`` in the configuration's zone.
        written: when it was last written to, in Unix seconds.
        size: bytes of its lines, modulo 2^32: a gzipped file knows no more.
    """

    path: Path
    stem: str
    begun: str
    written: float
    size: int


def journal_files(config: Config, spout: Spout, since: float = 0) -> list[JournalFile]:
    """Return a spout's journals, of all hosts that share a folder, oldest first. One that is being gzipped is there once, plain.

    Args:
        since: Unix seconds; files that were last written to before are left out.
    """
    found: dict[str, tuple[tuple[str, int], JournalFile]] = {}
    shared = shared_folder(config)
    paths = [path for folder in journal_folders(config) for path in folder.glob(f"{spout}_*.txt*")]
    for path in sorted(paths, reverse=True):  # .gz comes first, .txt replaces it
        match = _NAME.search(path.name)
        if match is None:
            continue
        try:
            status = path.stat()
            size = _unzipped(path) if match[4] else status.st_size % (1 << 32)
        except FileNotFoundError:
            continue
        stem = str(path.relative_to(shared)).removesuffix(".gz")
        begun = match[1] + match[2]
        file = JournalFile(path, stem, begun, status.st_mtime, size)
        found[stem] = ((begun, int(match[3] or 1)), file)
    return [file for _, file in sorted(found.values(), key=lambda pair: pair[0]) if file.written >= since]


def _unzipped(path: Path) -> int:
    """Return the size that the end of a gzipped file gives."""
    with path.open("rb") as file:
        if file.seek(0, 2) < _SIZE_BYTES:
            return 0
        file.seek(-_SIZE_BYTES, 2)
        return int.from_bytes(file.read(_SIZE_BYTES), "little")
