"""Functions compiled by numba: one decorator, so that all have the same rules."""

from inspect import getfile
from pathlib import Path
from typing import Any

import numba
import torch
from numba import njit, prange

__all__ = ["compiled", "is_kept", "prange", "use_threads"]

# Fast math that cannot hide a NaN or an infinity: sums and products may be reordered and fused.
FAST = {"reassoc", "contract", "arcp", "nsz"}


def compiled(**options: Any) -> Any:
    """Numba's decorator: machine code is kept on disk where there is a place for it."""

    def decorate(function: Any) -> Any:
        # No Python checks for a division by zero: they keep loops from being vectorised.
        common = {"nogil": True, "fastmath": FAST, "error_model": "numpy", **options}
        try:
            return njit(cache=True, **common)(function)
        except RuntimeError:  # neither the package nor the user has a folder to write to
            return njit(**common)(function)

    return decorate


def use_threads(items: int, items_per_thread: int) -> int:
    """Set how many threads the next call takes, and return it: torch's, fewer for few items."""
    threads: int = min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)
    threads = max(1, min(threads, items // items_per_thread))
    numba.set_num_threads(threads)
    return threads


def is_kept(function: Any) -> bool | None:
    """Whether the machine code of a compiled function is on disk; None where it cannot be.

    Code older than its source or than numba is compiled anew.
    """
    folder = function.stats.cache_path
    if folder is None:
        return None
    newest = max(Path(file).stat().st_mtime for file in (getfile(function.py_func), numba.__file__))
    found = Path(folder).glob(f"*.{function.__name__}-*.nbi")
    return any(index.stat().st_mtime >= newest for index in found)
