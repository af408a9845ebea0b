"""Numeric features of many columns at once, to the same bits as `prepare` makes them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.encode.scaling import LARGEST_SCALED, hold_within
from postclick.data.manifest import NumericColumn
from postclick.data.numbers.moments import Floats, signed_log1p
from postclick.data.read.values.numbers import numbers_in, to_number
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.errors import InputError

# Types that numpy has and whose missing values it makes NaN.
_PLAIN = {
    *(pl.Float32, pl.Float64, pl.Int8, pl.Int16, pl.Int32, pl.Int64),
    *(pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
}


def read_number(column: pl.Series, rules: ValueRules = DEFAULT_RULES) -> Floats:
    """float64 [n], NaN where the value is missing or infinite.

    Raises:
        InputError: the column holds something else than numbers.

    >>> read_number(pl.Series([1, None, 3])).tolist()
    [1.0, nan, 3.0]
    """
    if type(column.dtype) in _PLAIN:
        numbers: Floats = column.to_numpy().astype(np.float64)
        infinite = np.isinf(numbers)
        if infinite.any():
            numbers[infinite] = np.nan
        if rules.numbers:
            numbers[np.isin(numbers, numbers_in(column.dtype, rules))] = np.nan
        return numbers
    number, unreadable, _ = to_number(column, rules)
    if unreadable.rows:
        raise InputError(
            f"column {column.name!r}: {unreadable.rows:,} values are not numbers (such as "
            f"{', '.join(unreadable.examples)}): mend them, or leave them empty"
        )
    return number.cast(pl.Float64).to_numpy()


class NumericScaling:
    """All numeric columns of a log: `postclick.data.encode.encoder.scale` of each, in one sweep.

    >>> columns = [NumericColumn(name="age", source="age", transform="standardize", mean=3, std=2)]
    >>> NumericScaling(columns).scale({"age": np.array([5.0, np.nan])}).tolist()
    [[1.0], [0.0]]
    """

    def __init__(self, columns: Sequence[NumericColumn]) -> None:
        self.columns = tuple(columns)
        self._mean = np.array([column.mean for column in columns])
        self._std = np.array([column.std for column in columns])
        limits = np.array([column.limits for column in columns]).reshape(-1, 2)
        self._low, self._high = limits.T
        kinds = np.array([column.transform for column in columns])
        self._logs = (kinds == "log1p").nonzero()[0]
        self._flags = (kinds == "missing_flag").nonzero()[0]

    def scale(self, numbers: Mapping[str, Floats]) -> npt.NDArray[np.float32]:
        """float32 [n, columns] from the float64 [n] of each source; 0 where there is none."""
        rows = len(next(iter(numbers.values())))
        known = [k for k, column in enumerate(self.columns) if column.source in numbers]
        values = np.zeros((rows, len(self.columns)))
        for k in known:
            values[:, k] = numbers[self.columns[k].source]
        missing = np.isnan(values)
        if self._logs.size:
            values[:, self._logs] = signed_log1p(values[:, self._logs])
        hold_within(values, self._low, self._high)
        with np.errstate(over="ignore"):
            values -= self._mean
            values /= self._std
        values[missing] = 0.0
        values[:, self._flags] = missing[:, self._flags]
        np.clip(values, -LARGEST_SCALED, LARGEST_SCALED, out=values)
        scaled = values.astype(np.float32)
        if len(known) < len(self.columns):
            absent = np.setdiff1d(np.arange(len(self.columns)), known)
            scaled[:, absent] = 0.0
        return scaled
