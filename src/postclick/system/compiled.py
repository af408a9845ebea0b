"""Functions compiled by numba: one decorator, so that all have the same rules."""

from hashlib import sha256
from inspect import getfile
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding
from numba import njit

__all__ = ["compiled", "is_kept", "mark_kept"]

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


def is_kept(function: Any) -> bool | None:
    """Whether `mark_kept` was told that the machine code of a function is on disk.

    None where there is no place for it. Code of another source, numba or processor does not count.
    """
    mark = _mark(function)
    return None if mark is None else mark.exists()


def mark_kept(function: Any) -> None:
    """Note that the machine code of a function is on disk now."""
    mark = _mark(function)
    if mark is not None and any(mark.parent.glob(f"*.{function.__name__}-*.nbi")):
        for old in mark.parent.glob(f"{function.__name__}.*.kept"):
            old.unlink(missing_ok=True)
        mark.touch()


def _mark(function: Any) -> Path | None:
    """A file beside numba's, named for all that its code depends on: numba has no public answer."""
    if function.stats.cache_path is None:
        return None
    source = Path(getfile(function.py_func)).read_bytes()
    cpu = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    digest = sha256(source + "\n".join((numba.__version__, *cpu)).encode()).hexdigest()
    return Path(function.stats.cache_path) / f"{function.__name__}.{digest[:16]}.kept"
