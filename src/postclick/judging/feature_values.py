"""The values of one feature of a prepared log, as a raw log would show them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from postclick.data.arrays import RowArrays, field_offsets
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.manifest import VOCABULARIES, IdColumn, NumericColumn
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.value_names import MISSING, UNKNOWN, told_apart
from postclick.metrics.buckets import bucket_starts
from postclick.suggest import meant

# A number with at most DISTINCT values is cut by value, others into BUCKETS of equal frequency.
DISTINCT, BUCKETS = 20, 10
# Relative, of a float32.
HALF_ULP = 2.0**-24
Arrays = NDArray[Any]


class FeatureValues(ABC):
    """A feature: how to read it from prepared rows, and what its values are called."""

    kind: ClassVar[Literal["categorical", "numeric"]]

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def read(self, rows: RowArrays, taken: slice) -> Arrays:
        """A number for the value of each row, `(k,)`; a copy."""

    @abstractmethod
    def segments(self, keys: Arrays) -> tuple[NDArray[np.int64], list[str]]:
        """From what `read` gave: the segment of each row, and what each segment is called."""


class Categorical(FeatureValues):
    """Ids, called as in the vocabulary."""

    kind = "categorical"

    def __init__(self, name: str, position: int, offset: int, log: PreparedLog) -> None:
        super().__init__(name)
        self._position, self._offset, self._log = position, offset, log

    def read(self, rows: RowArrays, taken: slice) -> Arrays:
        return rows.ids[taken, self._position].numpy() - np.int32(self._offset)

    def segments(self, keys: Arrays) -> tuple[NDArray[np.int64], list[str]]:
        ids, number = np.unique(keys, return_inverse=True)
        values = Vocabulary.load(self._log.folder / VOCABULARIES, self.name).table["value"]
        return number, [UNKNOWN if one == 0 else told_apart(values[int(one) - 1]) for one in ids]


class Exposed(Categorical):
    """Ids of the exposure, which are in no array with others."""

    def __init__(self, name: str, log: PreparedLog) -> None:
        super().__init__(name, 0, 0, log)

    def read(self, rows: RowArrays, taken: slice) -> Arrays:
        assert rows.exposure is not None
        return rows.exposure[taken].numpy().copy()


class Bucketed(FeatureValues):
    """Hashed values, of which only the buckets are known."""

    kind = "categorical"

    def __init__(self, name: str, position: int, offset: int) -> None:
        super().__init__(name)
        self._position, self._offset = position, offset

    def read(self, rows: RowArrays, taken: slice) -> Arrays:
        return rows.ids[taken, self._position].numpy() - np.int32(self._offset)

    def segments(self, keys: Arrays) -> tuple[NDArray[np.int64], list[str]]:
        ids, number = np.unique(keys, return_inverse=True)
        return number, [MISSING if one == 0 else f"bucket {one}" for one in ids]


class Binned(FeatureValues):
    """Numbers that were prepared as ids of bins: neighbouring bins are put together."""

    kind = "numeric"

    def __init__(self, column: IdColumn, position: int, offset: int) -> None:
        super().__init__(column.name)
        self._position, self._offset = position, offset
        self._edges = column.edges or ()

    def read(self, rows: RowArrays, taken: slice) -> Arrays:
        return rows.ids[taken, self._position].numpy() - np.int32(self._offset)

    def segments(self, keys: Arrays) -> tuple[NDArray[np.int64], list[str]]:
        return by_number(keys, keys == 0, self._range)

    def _range(self, low: float, high: float) -> str:
        """Bin k holds [edge k - 1, edge k)."""
        first, last = int(low) - 2, int(high) - 1
        below = f"below {self._edges[last]:.6g}" if last < len(self._edges) else ""
        above = f"{self._edges[first]:.6g} and above" if first >= 0 else ""
        if above and below:
            return f"{self._edges[first]:.6g} to below {self._edges[last]:.6g}"
        return above or below or "all"


class Scaled(FeatureValues):
    """Numbers that were scaled: shown as they were before."""

    kind = "numeric"

    def __init__(self, column: NumericColumn, position: int, flag: int | None) -> None:
        super().__init__(column.source)
        self._column, self._position, self._flag = column, position, flag

    def read(self, rows: RowArrays, taken: slice) -> Arrays:
        values = rows.numeric[taken, self._position].numpy().copy()
        if self._flag is not None:
            values[rows.numeric[taken, self._flag].numpy() == 1] = np.nan
        return values

    def segments(self, keys: Arrays) -> tuple[NDArray[np.int64], list[str]]:
        return by_number(keys, np.isnan(keys), self._range)

    def _range(self, low: float, high: float) -> str:
        return self._text(low) if low == high else f"{self._text(low)} to {self._text(high)}"

    def _text(self, scaled: float) -> str:
        value = scaled * self._column.std + self._column.mean
        # Digits below the rounding of the stored float32 are not the log's.
        error = HALF_ULP * abs(scaled) * self._column.std
        if self._column.transform == "log1p":
            error *= float(np.exp(min(abs(value), 700.0)))
            value = float(np.copysign(np.expm1(min(abs(value), 700.0)), value))
        if error > 0:
            value = round(value, math.floor(-math.log10(2 * error)))
        text = f"{value:.6g}"
        return "0" if float(text) == 0 else text


def feature_names(by: str | Sequence[str]) -> list[str]:
    """Names, each once; one text may hold several, separated by commas.

    >>> feature_names("category, position,category"), feature_names(())
    (['category', 'position'], [])
    """
    given = by.split(",") if isinstance(by, str) else by
    return list(dict.fromkeys(name.strip() for name in given if name.strip()))


def feature_values(log: PreparedLog, name: str) -> FeatureValues:
    """The feature, or the exposure, called `name`.

    Raises:
        InputError: there is none, or it has several values for each impression.
    """
    manifest = log.manifest
    offsets = field_offsets(manifest)
    found: dict[str, FeatureValues] = {}
    for k, column in enumerate(manifest.ids):
        if column.edges is not None:
            found[column.name] = Binned(column, k, offsets[k])
        elif column.hashed:
            found[column.name] = Bucketed(column.name, k, offsets[k])
        else:
            found[column.name] = Categorical(column.name, k, offsets[k], log)
    flags = {c.source: k for k, c in enumerate(manifest.numerics) if c.transform == "missing_flag"}
    for k, number in enumerate(manifest.numerics):
        if number.transform != "missing_flag":
            found[number.source] = Scaled(number, k, flags.get(number.source))
    if manifest.exposure is not None:
        found[manifest.exposure.name] = Exposed(manifest.exposure.name, log)
    if name in found:
        return found[name]
    there = ", ".join(found) or "none"
    several = [bag.name for bag in manifest.bags] + [vector.name for vector in manifest.vectors]
    if name in several:
        raise InputError(
            f"feature '{name}' has several values for each impression, so that rows cannot be cut "
            f"by it; those that have one: {there}"
        )
    raise InputError(
        f"there is no feature '{name}'{meant(name, found)} to judge by; there are: {there}"
    )


def by_number(
    keys: Arrays, missing: NDArray[np.bool_], called: Callable[[float, float], str]
) -> tuple[NDArray[np.int64], list[str]]:
    """Segments by rising number, those without one last; `called` names a range of numbers."""
    ordered = np.sort(keys[~missing])
    if not ordered.size:
        return np.zeros(keys.size, np.int64), [MISSING]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    if starts.size > DISTINCT:
        starts = np.array(bucket_starts(ordered, BUCKETS))
    ends = np.append(starts[1:], ordered.size)
    number = np.searchsorted(ordered[starts[1:]], keys, side="right")
    names = [
        called(float(ordered[a]), float(ordered[b - 1])) for a, b in zip(starts, ends, strict=True)
    ]
    number[missing] = len(names)
    return number, [*names, MISSING]
