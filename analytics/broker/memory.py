"""How much memory this process has allocated, and giving back to the system what it no longer needs."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None)


class _Mallinfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``, of all arenas together."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def _allocated_by_glibc() -> Callable[[], int] | None:
    """Return what tells the bytes that are allocated; None where the C library is not glibc 2.33 or newer."""
    mallinfo = getattr(_libc, "mallinfo2", None)
    if mallinfo is None:
        return None
    mallinfo.restype = _Mallinfo

    def allocated() -> int:
        found = mallinfo()
        return int(found.uordblks) + int(found.hblkhd)

    return allocated


def _resident() -> int:
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE_BYTES


allocated: Callable[[], int] = _allocated_by_glibc() or _resident
"""Returns the bytes allocated by ``malloc``, as libzmq's messages are; with another C library, those of the whole process."""


def give_back() -> None:
    """Return free memory to the system, which glibc would keep."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
