"""What a process takes of its machine, as the kernel tells it."""

import os
from pathlib import Path

import msgspec

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


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
    """Return what the process ``pid``, or this one, takes. Nothing where it is gone or somebody else's."""
    folder = Path(f"/proc/{os.getpid() if pid is None else pid}")
    try:
        # The program's name stands in parentheses and may hold anything; the fields follow the last one.
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
        total = Usage(
            int(stat[21]) * _PAGE,
            sum(1 for _ in (folder / "fd").iterdir()),
            (int(stat[11]) + int(stat[12])) / _TICKS,
        )
        children = (folder / "task" / folder.name / "children").read_text().split()
    except OSError:
        return Usage()
    for child in children:
        total += usage(int(child))
    return total
