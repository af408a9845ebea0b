"""Functions compiled by numba: one decorator, so that all have the same rules."""

from pathlib import Path
from typing import Any

import numba
from numba import njit, prange

__all__ = ["LARGEST_POOL", "compiled", "is_kept", "prange"]

LARGEST_POOL: int = numba.config.NUMBA_NUM_THREADS
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


def is_kept(function: Any) -> bool:
    """Whether some machine code of a compiled function is on disk: then its first call is fast."""
    folder = function.stats.cache_path
    return folder is not None and any(Path(folder).glob(f"*.{function.__name__}-*.nbi"))
