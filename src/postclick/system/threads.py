"""Compiled code on torch's own threads: one pool for a process, not a second beside it.

A pool of its own (numba's, or Python's) would compete with torch's: OpenMP threads go on spinning
for milliseconds after their work, on the cores that the other pool is given. numba's OpenMP layer
also sets torch's number of threads back to all cores when it starts.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch

Region = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def parts_of(items: int, items_per_part: int) -> int:
    """Into how many parts to share work on `items`: torch's threads, fewer for few items."""
    return max(1, min(torch.get_num_threads(), items // items_per_part))


def run_parts(function: Callable[..., None], parts: int, *arguments: Any) -> None:
    """Call `function(part, parts, *arguments)` for each part, each on a thread of its own.

    The function has to let go of the interpreter's lock, as compiled code does. A thread that is
    done takes the next part that none has begun, so one that comes late holds nobody up.

    Raises:
        Exception: what the first part that failed raised, after all have ended.
    """
    if parts == 1:
        function(0, 1, *arguments)
        return
    todo = iter(range(parts))
    errors: list[Exception] = []

    def work(_: object = None) -> None:
        for part in todo:
            try:
                function(part, parts, *arguments)
            except Exception as error:
                errors.append(error)

    openmp = torch_openmp()
    if openmp is None:
        helpers = [_pool(parts).submit(work) for _ in range(parts - 1)]
        work()
        for helper in helpers:
            # One that has not begun finds nothing left to do.
            if not helper.cancel():
                helper.result()
    else:
        openmp.GOMP_parallel(Region(work), None, parts, 0)
    if errors:
        raise errors[0]


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def torch_openmp() -> ctypes.CDLL | None:
    """The OpenMP library that torch itself calls; `None` where it has another kind of threads.

    `GOMP_parallel(function, argument, threads, 0)` is how compilers start a parallel region in
    libgomp; LLVM's and Intel's libraries have it too.
    """
    library = ctypes.CDLL(torch._C.__file__)
    try:
        start = library.GOMP_parallel
    except AttributeError:
        return None
    start.argtypes = [Region, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    start.restype = None
    return library


@cache
def _pool(parts: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(parts - 1, "kernel")
