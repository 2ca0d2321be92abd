"""The interpreter of processes that fold and settle: many small objects, and memory that comes and goes in megabytes."""

import ctypes
import gc
from functools import cache

GC_THRESHOLDS = (500_000, 5, 100)
"""Python's are 700, 10, 10. A batch alone makes tens of thousands of objects, none of them in a cycle."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 64 << 20
"""Several of the largest batches."""


@cache
def tune() -> None:
    """Set garbage collection and memory up, once all is imported. Further calls do nothing.

    What lives long is left out of garbage collection, and the rest is looked at only after many allocations. Memory that a
    batch used is kept for the next one: giving it back and asking again costs a page fault per 4 KB.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
