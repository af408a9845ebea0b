"""Units of resampling: what is independent of everything else, in a fixed number of places."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.data.read.values.bucket_hash import text_hash64
from postclick.data.read.values.group_hash import MISSING, read_group
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.row_hash import GROUPS, key_hash

# Rows, or groups of rows, are hashed into so many units. Sums of independent groups are
# independent, so intervals stay right where groups share a unit; that there are this many keeps
# the standard error's own error below 1 %. Memory depends on this number, not on rows or groups.
UNITS = 1 << 14


def group_hash(column: pl.Series, rules: ValueRules) -> NDArray[np.int64]:
    """int64 `(n,)`: a hash of each row's group, 0 where it is missing.

    A whole number has one hash, whether it comes as a number or as text.

    Raises:
        InputError: the column holds lists or records.

    >>> rules = ValueRules()
    >>> a, b = (group_hash(pl.Series(v), rules) for v in ([7, 12, None], ["7", "x", None]))
    >>> bool(a[0] == b[0]), bool(a[1] == b[1]), int(a[2]), int(b[2])
    (True, False, 0, 0)
    """
    if column.dtype.is_integer() and not rules.numbers:
        whole, text = column.cast(pl.Int64, strict=False), None
        if whole.null_count() != column.null_count():  # beyond the signed 64 bits
            text = read_group(column, rules).text
    else:
        text = read_group(column, rules).text
        whole = text.cast(pl.Int64, strict=False)
        # "007" is another group than 7.
        whole = whole.set((whole.cast(pl.String) != text).fill_null(True), None)
    known = ~whole.is_null().to_numpy()
    numbers = whole.fill_null(0).to_numpy().astype(np.int64, copy=False)
    found = key_hash(numbers.view(np.uint64), 0, GROUPS)
    if text is not None and not known.all():
        rest = ~known
        found = found.copy()
        found[rest] = text_hash64(text.filter(pl.Series(rest)))
    hashes = found.view(np.int64).copy()
    hashes[hashes == MISSING] = 1
    missing = (column if text is None else text).is_null().to_numpy()
    hashes[missing] = MISSING
    return hashes


def units_of(rows: NDArray[np.int64], group: NDArray[np.int64] | None) -> NDArray[np.uint16]:
    """uint16 `(n,)`: the unit of each row; rows of one group share it, others go by row number.

    >>> units_of(np.array([0, 1, 2]), np.array([5, 5, 0])).tolist()[2]
    2
    """
    of_row = rows % UNITS
    if group is not None:
        grouped = key_hash(group.view(np.uint64), 0, GROUPS) % np.uint64(UNITS)
        of_row = np.where(group == MISSING, of_row, grouped.astype(np.int64))
    return of_row.astype(np.uint16)
