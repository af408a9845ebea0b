"""The inputs of an exported graph, and what they are given for some rows."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from postclick.data.lookup.encoded_rows import BagRows, EncodedRows, SharedBag
from postclick.serving.bundle.column_owners import ColumnOwners, Columns

IDS, NUMERIC = "ids", "numeric"
USER = "user_"
Arrays = dict[str, npt.NDArray[Any]]


def bag_inputs(number: int) -> tuple[str, str]:
    """Names of the inputs for the ids and the weights of a multi-valued feature."""
    return f"bag_{number}", f"bag_{number}_weights"


def input_names(columns: Columns, prefix: str = "") -> list[str]:
    """All inputs of one owner, also those without columns, which a graph may leave out."""
    bags = [name for number in columns.bags for name in bag_inputs(number)]
    return [prefix + name for name in (IDS, NUMERIC, *bags)]


def graph_inputs(owners: ColumnOwners) -> set[str]:
    """The inputs that a graph has: those with columns."""
    found: set[str] = set()
    for prefix, columns in zip(("", USER), owners, strict=True):
        left_out = {IDS} if not columns.ids else set()
        left_out |= {NUMERIC} if not columns.numerics else set()
        found |= {prefix + name for name in input_names(columns) if name not in left_out}
    return found


class Feed:
    """What a graph is given for blocks of the rows of one call."""

    def __init__(
        self,
        rows: EncodedRows,
        owners: ColumnOwners,
        user: EncodedRows | None = None,
        met: Collection[str] = (),
    ) -> None:
        """What is given.

        Args:
            user: the one row that holds the user's columns for all rows, if there is one.
            met: lists of the user that are read anew with each row.
        """
        self._owned = [_OwnedArrays(rows, owners.own, "")]
        self._same: Arrays = {}
        self._longest_of_user = 0
        if owners.reads_user_apart and user is not None:
            of_user = _OwnedArrays(user, owners.user, USER)
            self._same = of_user.block(0, 1)
            lists = (of_user.bags[k] for k in of_user.bags if rows.layout.bags[k] in met)
            self._longest_of_user = max((bag.longest(0, 1) for bag in lists), default=0)
        elif owners.reads_user_apart:
            self._owned.append(_OwnedArrays(rows, owners.user, USER))

    def block(self, start: int, stop: int) -> Arrays:
        """For the rows from `start` to `stop`."""
        given = dict(self._same)
        for owned in self._owned:
            given.update(owned.block(start, stop))
        return given

    def longest(self, start: int, stop: int) -> int:
        """Length of the longest list among these rows, and of those that they meet."""
        bags = [bag for owned in self._owned for bag in owned.bags.values()]
        own = max((bag.longest(start, stop) for bag in bags), default=0)
        return max(own, self._longest_of_user)


class _OwnedArrays:
    """The columns of encoded rows that one owner has."""

    def __init__(self, rows: EncodedRows, columns: Columns, prefix: str) -> None:
        self._prefix = prefix
        self._arrays: Arrays = {}
        if columns.ids:
            self._arrays[prefix + IDS] = _some(rows.ids, columns.ids)
        if columns.numerics:
            self._arrays[prefix + NUMERIC] = _some(rows.numeric, columns.numerics)
        self.bags: dict[int, BagRows | SharedBag] = {k: rows.bags[k] for k in columns.bags}

    def block(self, start: int, stop: int) -> Arrays:
        given = {name: array[start:stop] for name, array in self._arrays.items()}
        for number, bag in self.bags.items():
            ids, weights = (self._prefix + name for name in bag_inputs(number))
            given[ids], given[weights] = bag.padded(start, stop)
        return given


def _some(array: npt.NDArray[Any], columns: tuple[int, ...]) -> npt.NDArray[Any]:
    """Columns of an array; itself, where they are all."""
    if len(columns) == array.shape[1]:
        return array
    return np.take(array, columns, axis=1)
