"""Facts about processes of this machine, from ``/proc``.

A process id is used again after its process has ended; id and start together name one process. The start is in the
kernel's ticks since boot: seconds since 1970 would change whenever the clock is corrected.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

PR_SET_PDEATHSIG = 1
# Runs between fork and the program.
_DIE_WITH_PARENT = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({PR_SET_PDEATHSIG}, {int(signal.SIGKILL)})
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started this one is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def allow_all_descriptors() -> None:
    """Raise this process's limit of open files to what the system allows it.

    The broker holds a descriptor for each file of the Queue: the usual soft limit of 1,024 would end it at a backlog of 64 GB.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Usage(msgspec.Struct, frozen=True):
    """A process and its children: bytes of memory in use, open file descriptors, seconds of CPU since the start."""

    memory_bytes: int = 0
    descriptors: int = 0
    cpu_seconds: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.memory_bytes + other.memory_bytes,
            self.descriptors + other.descriptors,
            round(self.cpu_seconds + other.cpu_seconds, 2),
        )


def usage(pid: int | None = None) -> Usage:
    """Return what the process ``pid``, or this one, uses. Zeros where it is gone or another user's."""
    folder = Path(f"/proc/{pid or os.getpid()}")
    try:
        stat = _stat(folder)
        total = Usage(
            int(stat[21]) * _PAGE,
            sum(1 for _ in (folder / "fd").iterdir()),
            (int(stat[11]) + int(stat[12])) / _TICKS,
        )
        below = _children(folder)
    except OSError:
        return Usage()
    for child in below:
        total += usage(child)
    return total


def children(pid: int) -> list[int]:
    """Return the processes that the process ``pid`` has started and that run; none where it is gone."""
    return _children(Path(f"/proc/{pid}"))


def process_started(pid: int | None = None) -> int:
    """Return when the process ``pid``, or this one, started, in ticks since boot; 0 where there is none, or a dead one."""
    try:
        stat = _stat(Path(f"/proc/{os.getpid() if pid is None else pid}"))
    except OSError:
        return 0
    return 0 if stat[0] in "ZX" else int(stat[19])


def command_line(pid: int) -> list[str]:
    """Return a process's arguments, none where it is gone."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return []


def die_with(parent: int) -> bool:
    """Have the kernel kill this process when its parent ends, however that ends. Return whether ``parent`` is that, still."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def dying_with_us(command: Sequence[str]) -> list[str]:
    """Return ``command``, whose program is a path, so that the kernel kills its process when this one ends."""
    # Without site's packages it takes half of the time.
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]


def _children(folder: Path) -> list[int]:
    found = []
    for thread in (folder / "task").glob("*/children"):
        with suppress(OSError):  # the thread has just ended
            found += [int(child) for child in thread.read_text().split()]
    return found


def _stat(folder: Path) -> list[str]:
    """Return the fields of ``stat`` from the state on: the program's name before them may hold anything."""
    return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
