"""Logs that were packed: which files those are, and how to read them."""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Open = Callable[[Path], io.BufferedIOBase]

OPENERS: dict[str, Open] = {
    ".gz": gzip.GzipFile,
    ".xz": lzma.LZMAFile,
    ".bz2": bz2.BZ2File,
    ".zst": zstd.ZstdFile,
}
"""By a name's ending."""
_MAGIC = {b"\x1f\x8b": ".gz", b"\xfd7zXZ\0": ".xz", b"BZh": ".bz2", b"\x28\xb5\x2f\xfd": ".zst"}
_FOREIGN = {
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"\x1f\x9d": "compress",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x89LZO": "lzop",
    b"LZIP": "lzip",
}
UNPACKING = (EOFError, OSError, zlib.error, lzma.LZMAError, zstd.ZstdError)
"""What reading a packed file raises where it is not whole."""


class Foreign(OSError):
    """The file is packed in a way that is not read."""


START = 8
"""How many bytes of a file tell how it is packed."""


def opener(start: bytes) -> Open | None:
    """Return how to open a packed file that begins with ``start``, None for a plain one. Raise Foreign for other packers."""
    for magic, ending in _MAGIC.items():
        if start.startswith(magic):
            return OPENERS[ending]
    for magic, name in _FOREIGN.items():
        if start.startswith(magic):
            raise Foreign(
                f"expected plain text, or a file packed by {', '.join(OPENERS)}, got one of {name}; unpack it, or leave it "
                "out of the source's path"
            )
    return None


class Forward:
    """Reads a packed file at rising offsets; going back unpacks it again from the start."""

    def __init__(self, packed: io.BufferedIOBase) -> None:
        self._packed = packed

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes there, fewer only at the end."""
        self._packed.seek(offset)
        return self._packed.read(length)
