"""Keep freed memory for the next step, where the C library is glibc."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# What glibc starts with, and the largest mmap threshold that it takes.
_DEFAULT, _LARGEST = 128 << 10, 32 << 20
_NEVER_TRIM = 2**31 - 1


@contextmanager
def memory_kept() -> Iterator[None]:
    """Have malloc reuse the memory of large tensors instead of giving it back to the system.

    By default every tensor of some megabytes is fetched from the system and returned at each step,
    and the system clears each page anew: a quarter of a step of workload B. Elsewhere than on
    glibc this does nothing.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_MMAP_THRESHOLD, _LARGEST)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER_TRIM)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_THRESHOLD, _DEFAULT)
        libc.mallopt(_TRIM_THRESHOLD, _DEFAULT)
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
