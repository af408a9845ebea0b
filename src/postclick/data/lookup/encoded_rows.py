"""`EncodedRows`: the features of some rows as arrays, whole or in parts that are put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from postclick.errors import InputError

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """Which feature each column of the arrays belongs to.

    Attributes:
        ids, numerics, bags: a feature's name for each column, and for each multi-valued feature.
            A vector has as many columns as elements, behind the numerics.
    """

    ids: tuple[str, ...]
    numerics: tuple[str, ...]
    bags: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.ids, *self.numerics, *self.bags)))


@dataclass(frozen=True)
class BagRows:
    """One multi-valued feature: row i has values[offsets[i]:offsets[i + 1]].

    Attributes:
        values: int32 [k] ids.
        offsets: int64 [n + 1].
        weights: float32 [k], with which embeddings are summed.
    """

    values: Int32s
    offsets: Int64s
    weights: Floats32

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def empty(cls, rows: int) -> "BagRows":
        no_weights = np.zeros(0, dtype=np.float32)
        return cls(np.zeros(0, np.int32), np.zeros(rows + 1, np.int64), no_weights)

    def longest(self, start: int, stop: int) -> int:
        return int(np.diff(self.offsets[start : stop + 1]).max(initial=0))

    def padded(self, start: int, stop: int) -> tuple[Int32s, Floats32]:
        """Ids and weights [stop - start, L] with L the longest of these rows, at least 1.

        Behind a row's end both are 0.
        """
        offsets = self.offsets[start : stop + 1]
        lengths = np.diff(offsets)
        width = max(1, int(lengths.max(initial=0)))
        taken = np.arange(width) < lengths[:, None]
        ids = np.zeros(taken.shape, dtype=np.int32)
        weights = np.zeros(taken.shape, dtype=np.float32)
        ids[taken] = self.values[offsets[0] : offsets[-1]]
        weights[taken] = self.weights[offsets[0] : offsets[-1]]
        return ids, weights


@dataclass(frozen=True)
class SharedBag:
    """The only row of `one`, `rows` times."""

    one: BagRows
    rows: int

    def __len__(self) -> int:
        return self.rows

    def longest(self, start: int, stop: int) -> int:
        return len(self.one.values) if stop > start else 0

    def padded(self, start: int, stop: int) -> tuple[Int32s, Floats32]:
        """As `BagRows.padded`."""
        ids, weights = self.one.padded(0, 1)
        return np.repeat(ids, stop - start, axis=0), np.repeat(weights, stop - start, axis=0)


@dataclass(frozen=True)
class EncodedRows:
    """Rows as a model reads them.

    Attributes:
        layout: what the columns are.
        features: those that were encoded; the others' columns are zeros.
        ids: int32 [n, fields], each column with the ids of its own field.
        numeric: float32 [n, numerics and elements of the vectors].
        bags: one entry for each multi-valued feature.

    >>> layout = Layout(("user", "item"), (), ())
    >>> numeric = np.zeros((1, 0), np.float32)
    >>> user = EncodedRows(layout, frozenset({"user"}), np.array([[7, 0]], np.int32), numeric, ())
    >>> items = np.array([[0, 4], [0, 5]], np.int32)
    >>> items = EncodedRows(layout, frozenset({"item"}), items, np.zeros((2, 0), np.float32), ())
    >>> user.repeat(2).beside(items).ids.tolist()
    [[7, 4], [7, 5]]
    """

    layout: Layout
    features: frozenset[str]
    ids: Int32s
    numeric: Floats32
    bags: tuple[BagRows | SharedBag, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def missing(self) -> tuple[str, ...]:
        """Features that have not been encoded."""
        return tuple(name for name in self.layout.features if name not in self.features)

    def repeat(self, rows: int) -> "EncodedRows":
        """The only row, `rows` times.

        Raises:
            InputError: there is not exactly one row.
        """
        if len(self) != 1:
            raise InputError(f"{len(self):,} rows cannot be repeated: give the one row of a user")
        ids, numeric = np.repeat(self.ids, rows, axis=0), np.repeat(self.numeric, rows, axis=0)
        bags = tuple(_repeated(bag, rows) for bag in self.bags)
        return EncodedRows(self.layout, self.features, ids, numeric, bags)

    def beside(self, other: "EncodedRows") -> "EncodedRows":
        """These features and those of `other`; a part with one row is repeated.

        Raises:
            InputError: a feature is in both, or their rows differ in number.
        """
        both = sorted(self.features & other.features)
        if both:
            raise InputError(f"feature {both[0]!r} is in both parts: leave it out of one")
        ours, theirs = len(self), len(other)
        if ours != theirs and 1 not in (ours, theirs):
            raise InputError(
                f"parts of {ours:,} and {theirs:,} rows do not belong together: "
                "give one row for all, or the same number"
            )
        rows = theirs if ours == 1 else ours
        layout = self.layout
        # One row is repeated by broadcasting.
        ids = np.where(_among(layout.ids, other.features), other.ids, self.ids)
        numeric = np.where(_among(layout.numerics, other.features), other.numeric, self.numeric)
        chosen = (
            (other if name in other.features else self).bags[k]
            for k, name in enumerate(layout.bags)
        )
        bags = tuple(bag if len(bag) == rows else _repeated(bag, rows) for bag in chosen)
        return EncodedRows(layout, self.features | other.features, ids, numeric, bags)


def _repeated(bag: BagRows | SharedBag, rows: int) -> SharedBag:
    return SharedBag(bag.one if isinstance(bag, SharedBag) else bag, rows)


@lru_cache(maxsize=256)
def _among(names: Sequence[str], features: frozenset[str]) -> npt.NDArray[np.bool_]:
    return np.array([name in features for name in names], dtype=np.bool_)
