"""Small state files that notice damage: a JSON object with its checksum in front, and the generation before beside it.

    {"checksum":"…","name":…}        NAME.old: what was there before the last write

A file of an earlier version has no checksum and is taken as it is.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import msgspec

from analytics.errors import StateError
from analytics.system import files

logger = logging.getLogger(__name__)

_BEGIN = b'{"checksum":"'
_DIGITS = 32

T = TypeVar("T")


def sealed(text: bytes) -> bytes:
    """Return a JSON object with its checksum."""
    return _BEGIN + _checksum(text) + b'",' + text[1:]


def opened(data: bytes) -> bytes:
    """Return the JSON object that :func:`sealed` took. Raise ValueError where it is another one."""
    if not data.startswith(_BEGIN):
        return data
    end = len(_BEGIN) + _DIGITS
    text = b"{" + data[end + 2 :]
    if data[len(_BEGIN) : end] != _checksum(text):
        raise ValueError("its checksum does not match: some of its bytes were changed or are missing")
    return text


def older(path: Path) -> Path:
    """Return where the generation before lies."""
    return path.with_name(path.name + ".old")


def write(path: Path, text: bytes) -> None:
    """Replace the file durably, and keep what was there as the generation before.

    On OSError the file says what it said.

    Args:
        text: a JSON object that is not empty.
    """
    draft, link = files.draft(path, sealed(text)), path.with_name(path.name + ".link")
    with suppress(FileNotFoundError):
        link.unlink()
    with suppress(FileNotFoundError):
        _link(link, path)
        link.replace(older(path))
    draft.replace(path)
    files.sync_folder(path.parent)


def read(path: Path, decode: Callable[[bytes], T]) -> tuple[T, bool] | None:
    """Return what the file says, and whether that is the generation before, since the newest is damaged.

    The generation before then takes its place; what was damaged is kept as ``NAME.damaged``. Return None where there is no file. Raise StateError where no generation can be read.
    """
    found = _read(path, decode)
    if not isinstance(found, str):
        return None if found is None else (found, False)
    before = _read(older(path), decode)
    if before is None or isinstance(before, str):
        raise StateError(path, found)
    logger.error("%s is damaged: %s. The generation before, %s, takes its place", path, found, older(path))
    path.replace(path.with_name(path.name + ".damaged"))
    _link(path, older(path))
    files.sync_folder(path.parent)
    return before, True


def damage(path: Path) -> str:
    """Return why the file can't be read, "" if it can or is not there."""
    found = _read(path, msgspec.json.decode)
    return found if isinstance(found, str) else ""


def _link(name: Path, file: Path) -> None:
    """Give ``file`` another name. A copy does where the file system has no links, or the kernel grants none to another's file."""
    try:
        name.hardlink_to(file)
    except FileNotFoundError:
        raise
    except OSError:
        files.write(name, file.read_bytes())


def _read(path: Path, decode: Callable[[bytes], T]) -> T | str | None:
    """Return what the file says, why it can't be read, or None where it is not there."""
    try:
        return decode(opened(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, ValueError) as error:
        return str(error) or type(error).__name__


def _checksum(text: bytes) -> bytes:
    return blake2b(text, digest_size=_DIGITS // 2).hexdigest().encode()
