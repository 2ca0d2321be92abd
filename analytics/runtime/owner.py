"""Whose the data folder is: what another user makes there, the suite could neither read nor replace."""

import os
import pwd
from pathlib import Path

from analytics.errors import AnalyticsError


def become(data: Path, writes: bool) -> None:
    """Go on as the user who runs the suite, if root calls; groups and all. HOME stays as it is.

    Before the first start that is the owner of the data folder. Where there is none yet, nothing happens.

    Raise AnalyticsError if another user ``writes``, or root that may not become another user.
    """
    if os.geteuid() == 0:
        found = next((folder.stat() for folder in (data / "run", data) if folder.exists()), None)
        if found is None or found.st_uid == 0:
            return
        try:
            _become(found)
        except OSError:  # root of a container that may not
            pass
        else:
            return
    if writes:
        refuse_others(data, "analytics …")


def refuse_others(data: Path, as_root: str) -> None:
    """Raise AnalyticsError where another user runs the suite. ``as_root``: what root may call instead."""
    try:
        uid = (data / "run").stat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError:
        uid = data.stat().st_uid
    if uid != os.geteuid():
        owner = _name(uid)
        raise AnalyticsError(
            f"{data} is the user {owner}'s, this is {_name(os.geteuid())}: use `{as_root}` as root, or "
            f"`runuser -u {owner} -- analytics …`"
        )


def _become(owner: os.stat_result) -> None:
    try:
        user = pwd.getpwuid(owner.st_uid)
    except KeyError:  # without a name: the folder's group is all that is known
        os.setgroups([])
        os.setgid(owner.st_gid)
    else:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
    os.setuid(owner.st_uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
