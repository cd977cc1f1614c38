"""How this process keeps the memory that it frees."""

import ctypes
import sys

# From glibc's malloc.h.
TRIM_THRESHOLD = -1
MMAP_THRESHOLD = -3
LARGEST_BLOCK = 2**30  # bytes; more than any tensor of a frame
KEPT = 2**31 - 1  # bytes at the end of the heap; mallopt takes an int


def keep_freed_memory() -> bool:
    """Keep large freed blocks for what is allocated next, in this process and from now on.

    By default glibc hands every large block back to the kernel when it is freed and asks for fresh
    pages a moment later. For a network on a CPU, which does so hundreds of times for a frame, this
    costs a tenth of the time or more (docs, Performance). Peak memory stays what it is; less of it
    is given back before the process ends. The command line calls this; a program of yours may.

    Returns:
        Whether the C library took it; False where it is not glibc.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST_BLOCK)) & bool(mallopt(TRIM_THRESHOLD, KEPT))
