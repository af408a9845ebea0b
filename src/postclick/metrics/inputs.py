"""Checks that turn what a caller hands over into one-dimensional arrays that can be trusted."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError


def vector(name: str, values: ArrayLike, rows: int | None = None) -> NDArray[Any]:
    """`values` as a numeric vector, dtype untouched.

    Shape: `(n,)`, where `n` must equal `rows` if that is given. Raises `InputError` for any
    other shape or length and for what is not numbers.

    >>> vector("click", [0, 1, 1], rows=3)
    array([0, 1, 1])
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(
            f"{name} has shape {array.shape}; give one value per row, shape (rows,), "
            "for instance with .reshape(-1)"
        )
    if rows is not None and array.size != rows:
        raise InputError(
            f"{name} has {array.size:,} rows where {rows:,} are expected; "
            "give every column of a batch the same rows"
        )
    if array.size == 0 and array.dtype.kind not in "fiub":
        return array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {array.dtype}; give floats, integers or booleans")
    return array


def finite_vector(name: str, values: ArrayLike, rows: int | None = None) -> NDArray[Any]:
    """A numeric vector without NaN or infinity, at least float32 and never narrowed.

    Shape: `(n,)`. Raises `InputError` with the number of rows that are not finite.

    >>> finite_vector("ctr_logit", np.array([0.5, -3.0], dtype=np.float16)).dtype
    dtype('float32')
    """
    array = vector(name, values, rows)
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise InputError(
            f"{name} is NaN or infinite on {bad:,} of {array.size:,} rows; "
            "check the training run for divergence"
        )
    return array.astype(np.promote_types(array.dtype, np.float32), copy=False)


def as_labels(name: str, values: ArrayLike, rows: int | None = None) -> NDArray[np.bool_]:
    """A vector of 0/1 labels as booleans.

    Shape: `(n,)`. Raises `InputError` for any other value.

    >>> as_labels("click", [0.0, 1.0])
    array([False,  True])
    """
    array = vector(name, values, rows)
    if array.dtype.kind == "b":
        return array
    truth: NDArray[np.bool_] = array == 1
    bad = array.size - int(np.count_nonzero(truth)) - int(np.count_nonzero(array == 0))
    if bad:
        raise InputError(
            f"{name} is neither 0 nor 1 on {bad:,} of {array.size:,} rows; give labels as 0 and 1"
        )
    return truth


def in_range(
    name: str, values: ArrayLike, low: float, high: float, rows: int | None = None
) -> NDArray[Any]:
    """A finite vector whose values lie in `[low, high]`.

    Shape: `(n,)`. Raises `InputError` with the number of rows outside.

    >>> in_range("true_cvr", [0.1, 0.9], 0.0, 1.0)
    array([0.1, 0.9])
    """
    array = finite_vector(name, values, rows)
    bad = int(np.count_nonzero((array < low) | (array > high)))
    if bad:
        raise InputError(
            f"{name} lies outside [{low:g}, {high:g}] on {bad:,} of {array.size:,} rows; "
            "check that it is on the right scale"
        )
    return array
