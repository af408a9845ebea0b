"""The columns of a linear model of a log's features: which is what, and which share a prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from postclick.data.prepared import InputSpec
from postclick.linear.groups import Groups


@dataclass(frozen=True)
class Columns:
    """The columns of a linear model of a log's features.

    First one for each value of each field and multi-valued feature, as rows of an embedding table,
    then one for each value of the exposure, then numerics and elements of vectors, further
    columns of the method's own, and the intercept last.

    Attributes:
        exposures: values of the exposure that this model reads, 0 if it reads none.
        further: columns of the method's own.
    """

    inputs: InputSpec
    exposures: int = 0
    further: int = 0

    @classmethod
    def of(cls, inputs: InputSpec, *, exposed: bool, further: int = 0) -> Self:
        """Columns that read the exposure, if `exposed` and there is one."""
        known = inputs.exposure if exposed else None
        return cls(inputs, 0 if known is None else len(known.shares), further)

    @property
    def values(self) -> int:
        return sum(self._sizes)

    @property
    def sparse(self) -> int:
        return self.values + self.exposures

    @property
    def numbers(self) -> slice:
        return slice(self.sparse, self.sparse + self.inputs.numeric_width)

    @property
    def own(self) -> slice:
        return slice(self.numbers.stop, self.numbers.stop + self.further)

    @property
    def total(self) -> int:
        return int(self.own.stop) + 1

    @property
    def _sizes(self) -> tuple[int, ...]:
        return (*self.inputs.field_sizes, *self.inputs.bag_sizes)

    def groups(self, own_variance: float) -> Groups:
        """One group for each field, the exposure, all numerics and each vector.

        Values that training has not seen, row 0 of each field, are held at 0; the intercept is
        free, and further columns have the given variance.
        """
        of = np.full(self.total, -1, np.int64)
        own = np.zeros(self.total)
        own[self.own] = own_variance
        own[-1] = np.inf
        group, first = 0, 0
        sizes = (*self._sizes, *((self.exposures,) if self.exposures else ()))
        for size in sizes:
            of[first + 1 : first + size] = group
            group, first = group + 1, first + size
        widths = (self.inputs.numerics, *(size for size, _ in self.inputs.vectors))
        for width in (w for w in widths if w):
            of[first : first + width] = group
            group, first = group + 1, first + width
        return Groups(of, own, group)
