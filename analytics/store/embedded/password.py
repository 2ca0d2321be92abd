"""The password of the embedded ``mongod``: random, in a file that only the suite's user may read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from analytics.errors import Unavailable
from analytics.system import files

NAME = "password"


def password(folder: Path) -> str:
    """Return the password in ``folder``; the first process that asks creates it.

    The file appears complete or not at all, so all processes get the same password.

    Raise Unavailable if it can't be read, or the folder is another user's and has none yet.
    """
    path = folder / NAME
    try:
        if not path.exists():
            _make(path)
        return path.read_text().strip()
    except OSError as error:
        raise Unavailable(
            f"{path}: this user can't read the embedded store's password ({error.strerror}); use the user that runs the "
            "suite"
        ) from error


def make_folder(folder: Path) -> None:
    """Make the store's folder. Raise Unavailable if the data folder belongs to another user.

    The service could not read a folder that root creates. The group may list the folder, to see which engine runs; documents
    and secrets in it are only for the user.
    """
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest.stat().st_uid != os.geteuid() and nearest in (folder, folder.parent):
        raise Unavailable(
            f"{folder}: the embedded store has never run here. Start it as the owner of {nearest}: "
            "bin/analytics run store, or service analytics start"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)


def _make(path: Path) -> None:
    make_folder(path.parent)
    beside = files.draft(path, secrets.token_hex(24).encode(), 0o600)
    try:
        with suppress(FileExistsError):  # another process was faster: use its password
            path.hardlink_to(beside)
    finally:
        beside.unlink()
    files.sync_folder(path.parent)
