"""The clicked rows that are judged by exposure, checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.inputs import as_labels, in_range, vector

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ClickedRows:
    """Columns of n clicked rows, all of shape (n,).

    Attributes:
        pcvr: probabilities in [0, 1].
        conversion: 0.0 or 1.0.
        exposure: numbers or texts.
        weight: above 0.
        unit: 0 to the number of units - 1, each with a row at least.
        pctr: probabilities in [0, 1], or None.

    >>> ClickedRows.checked([0.1, 0.2], [0, 1], [3, 1], unit=[7, 7]).unit
    array([0, 0])
    """

    pcvr: Floats
    conversion: Floats
    exposure: NDArray[Any]
    weight: Floats
    unit: Ints
    pctr: Floats | None = None

    @classmethod
    def checked(
        cls,
        pcvr: ArrayLike,
        conversion: ArrayLike,
        exposure: ArrayLike,
        weight: ArrayLike | None = None,
        unit: ArrayLike | None = None,
        pctr: ArrayLike | None = None,
    ) -> "ClickedRows":
        """From what a caller gives, rows of weight 0 included.

        Raises:
            InputError: lengths that differ, values out of range, units that are not whole numbers.
        """
        p = in_range("pcvr", pcvr, 0.0, 1.0).astype(np.float64)
        n = p.size
        v = as_labels("conversion", conversion, n).astype(np.float64)
        given = _plain(np.asarray(exposure))
        if given.shape != p.shape:
            raise InputError(
                f"exposure has shape {given.shape} where pcvr has {p.shape}: give one value for "
                "each clicked row"
            )
        w = np.ones(n) if weight is None else in_range("weight", weight, 0.0, np.inf, n)
        units = np.arange(n) if unit is None else vector("unit", unit, n)
        if units.dtype.kind not in "iub" and n:
            raise InputError(f"unit has dtype {units.dtype}: number the units, with whole numbers")
        clickable = None
        if pctr is not None:
            clickable = in_range("pctr", pctr, 0.0, 1.0, n).astype(np.float64)
        return cls(p, v, given, w.astype(np.float64), _numbered(units), clickable)

    def where(self, kept: NDArray[np.bool_]) -> "ClickedRows":
        """Some of the rows, units numbered anew."""
        return ClickedRows(
            self.pcvr[kept],
            self.conversion[kept],
            self.exposure[kept],
            self.weight[kept],
            _numbered(self.unit[kept]),
            None if self.pctr is None else self.pctr[kept],
        )

    @property
    def conversions(self) -> int:
        """Rows that convert, whatever they weigh."""
        return int(np.count_nonzero(self.conversion))

    @property
    def units(self) -> int:
        """How many units the rows are of."""
        return int(self.unit.max()) + 1 if self.unit.size else 0


def _numbered(unit: NDArray[Any]) -> Ints:
    return np.unique(unit, return_inverse=True)[1].astype(np.int64)


def _plain(exposure: NDArray[Any]) -> NDArray[Any]:
    """Python's numbers among missing ones, which numpy holds as objects, as float64."""
    if exposure.dtype.kind != "O":
        return exposure
    values = exposure.ravel().tolist()
    if not all(one is None or isinstance(one, int | float) for one in values):
        return exposure
    numbers = [np.nan if one is None else float(one) for one in values]
    return np.array(numbers, np.float64).reshape(exposure.shape)
