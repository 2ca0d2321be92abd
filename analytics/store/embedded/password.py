"""The password of the embedded ``mongod``: random, in a file that only the suite's user may read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from analytics.errors import Unavailable
from analytics.system import files

NAME = "password"


def password(folder: Path) -> str:
    """Return the password that lies in ``folder``; the first process that asks makes it.

    Whether a node or a client comes first, all end with the same one: the file appears complete or not at all.

    Raises:
        Unavailable: it can't be read, or the folder is another user's and has none yet.
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
    """Make the store's folder. Raise Unavailable where the data folder belongs to another user.

    What root made there, the service could not read. The group may look into the folder, to see which engine runs; what
    holds documents or secrets in it is for the user alone.
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
        with suppress(FileExistsError):  # another process was first: its password counts
            path.hardlink_to(beside)
    finally:
        beside.unlink()
    files.sync_folder(path.parent)
