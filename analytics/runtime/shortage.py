"""What a process on this machine lacks, by the kernel's figures: why it cannot write."""

import errno
import os
import resource
import tempfile
from pathlib import Path

FULL_BYTES = 1 << 20
"""Less than a batch and its index take."""

TRIAL_BYTES = 1 << 16
"""More than what a file system keeps in an inode without using space."""

REFUSALS = {errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EUCLEAN}
"""Of these others than this process suffer, too."""
SPARE_FILES = 4
"""A process with so few files left can't be served: most things take several at once."""


def shortage(folder: Path, pid: int) -> str:
    """Return what keeps ``pid`` from writing to ``folder``, and what to do; "" where nothing is seen to."""
    return _of_disk(folder) or _of_files(pid) or _of_trial(folder)


def full(folder: Path) -> str:
    """Return that the disk of ``folder``, or a quota, is used up, and what to do; "" if not, or if there is no such folder."""
    if not folder.is_dir() or os.statvfs(folder).f_flag & os.ST_RDONLY:
        return ""
    return _of_disk(folder) or _of_trial(folder)


def _of_disk(folder: Path) -> str:
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        return f"{folder} can't be looked at: {error.strerror}"
    if disk.f_flag & os.ST_RDONLY:
        return f"the file system of {folder} is read-only: see the kernel's log, repair it, and mount it writable"
    if disk.f_bavail * disk.f_frsize < FULL_BYTES:
        return f"the disk of {folder} is full: make room, and work continues"
    if disk.f_files and not disk.f_favail:
        return f"the disk of {folder} has no inodes left: delete small files, and work continues"
    return ""


def _of_trial(folder: Path) -> str:
    """Return why the file system refuses a file. One that found itself damaged is read-only without a sign of it."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(TRIAL_BYTES))
            file.flush()
    except OSError as error:
        if error.errno not in REFUSALS:
            return ""
        return f"{folder} takes no file ({error.strerror}): see the kernel's log for the file system, and repair it or make room"
    return ""


def _of_files(pid: int) -> str:
    """Return whether the process has as many files open as it may; unknown where it is another user's."""
    try:
        most, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return ""
    if most == resource.RLIM_INFINITY or used < most - SPARE_FILES:
        return ""
    return (
        f"it has {used} of {most} files and connections open: raise the limit (LimitNOFILE= of the service, ulimit -n), "
        "then restart"
    )
