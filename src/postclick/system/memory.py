"""Keep freed memory for the next step, where the C library is glibc."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
# What glibc starts with: free memory at the top of the heap is given back beyond this many bytes,
# and so many large blocks may have a mapping of their own, which is given back when it is freed.
_TRIMMED, _MAPPINGS = 128 << 10, 65_536
_NEVER = 2**31 - 1


@contextmanager
def memory_kept() -> Iterator[None]:
    """Have malloc reuse the memory of large tensors instead of giving it back to the system.

    By default every tensor of some megabytes is fetched from the system and returned at each step,
    and the system clears each page anew. Elsewhere than on glibc this does nothing.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    libc.mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _MAPPINGS)
        libc.mallopt(_TRIM_THRESHOLD, _TRIMMED)
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
