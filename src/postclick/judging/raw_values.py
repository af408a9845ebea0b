"""The values of one column of a raw log, by which its rows are cut."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.data.arrays import RowArrays
from postclick.data.encode.vocabulary import VocabularyCounter
from postclick.data.read.log_source import LogSource
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.numbers import read_number_column, widened
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import Categorical, Hashed, LogSchema
from postclick.errors import InputError
from postclick.judging.feature_values import Arrays, FeatureValues, by_number
from postclick.judging.value_names import MISSING, told_apart
from postclick.suggest import meant

# Of a row without a value.
NO_CODE = -1


@dataclass(frozen=True)
class CutRows(RowArrays):
    """Rows with what they are cut by.

    Attributes:
        keys: of each column that rows are cut by what `RawValues.keys` gave, `(n,)`.
    """

    keys: dict[str, Arrays] = field(default_factory=dict)


class RawValues(FeatureValues):
    """A column of a raw log: its values are told apart as the log has them, also unseen ones."""

    def __init__(self, name: str, rules: ValueRules) -> None:
        super().__init__(name)
        self.rules = rules

    @abstractmethod
    def keys(self, column: pl.Series) -> Arrays:
        """A number for the value of each row, `(n,)`."""

    def read(self, rows: RowArrays, taken: slice) -> Arrays:
        assert isinstance(rows, CutRows)
        return rows.keys[self.name][taken].copy()


class RawCategory(RawValues):
    """Values as text, in the one form that each has.

    >>> shops = RawCategory("shop", ValueRules())
    >>> chunks = [shops.keys(pl.Series(values)) for values in (["b", None, "7.0"], [7])]
    >>> number, names = shops.segments(np.concatenate(chunks))
    >>> [names[k] for k in number]
    ['b', '(missing)', '7', '7']
    """

    kind = "categorical"

    def __init__(self, name: str, rules: ValueRules, *, verbatim: bool = False) -> None:
        super().__init__(name, rules)
        self._verbatim = verbatim
        self._seen = VocabularyCounter()

    def keys(self, column: pl.Series) -> Arrays:
        codes = self._seen.add(to_text(column, self.rules, verbatim=self._verbatim))
        return codes.cast(pl.Int64).fill_null(NO_CODE).to_numpy()

    def segments(self, keys: Arrays) -> tuple[NDArray[np.int64], list[str]]:
        values = self._seen.counts()["value"]
        codes, number = np.unique(keys, return_inverse=True)
        names = [MISSING if one == NO_CODE else told_apart(values[int(one)]) for one in codes]
        return number, names


class RawNumber(RawValues):
    """Numbers, cut by value where they are few, else in buckets of equal frequency.

    >>> hours = RawNumber("hour", ValueRules())
    >>> number, names = hours.segments(hours.keys(pl.Series(["3", "", "12.5", "3.0"])))
    >>> [names[k] for k in number]
    ['3', '(missing)', '12.5', '3']
    """

    kind = "numeric"

    def keys(self, column: pl.Series) -> Arrays:
        return read_number_column(widened(column), self.rules)[0].to_numpy().astype(np.float64)

    def segments(self, keys: Arrays) -> tuple[NDArray[np.int64], list[str]]:
        return by_number(keys, np.isnan(keys), _range)


def _range(low: float, high: float) -> str:
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def raw_values(schema: LogSchema, source: LogSource, name: str) -> RawValues:
    """The column of a log called `name`: a feature, or any other that is no outcome.

    A column that is no feature is numeric where it holds numbers, and categorical else.

    Raises:
        InputError: there is none, it is an outcome, or it holds several values for each impression.
    """
    rules = ValueRules.of(schema)
    named: tuple[Categorical | Hashed, ...] = (*schema.with_vocabulary, *schema.hashed)
    features = {f.name: f for f in named}
    outcomes = (schema.click.column, schema.conversion.column, *schema.truth.columns())
    several = {f.name for f in (*schema.multi, *schema.vector)} | set(schema.weight_columns)
    there = [n for n in source.columns if n not in several and n not in outcomes]
    if name in several:
        raise _of_several(name, there)
    if name in outcomes:
        raise InputError(f"'{name}' is an outcome, not something to cut rows by{_have(there)}")
    if name not in source.columns:
        raise InputError(
            f"{source.name}: there is no column '{name}'{meant(name, there)} to judge by"
            f"{_have(there)}"
        )
    if name in features:
        return RawCategory(name, rules, verbatim=features[name].verbatim)
    if name in {f.name for f in schema.numeric}:
        return RawNumber(name, rules)
    first: Any = next(iter(source.frames([name])), pl.DataFrame({name: [""]}))[name].dtype
    if first.is_nested():
        raise _of_several(name, there)
    return RawNumber(name, rules) if first.is_numeric() else RawCategory(name, rules)


def _of_several(name: str, there: list[str]) -> InputError:
    return InputError(
        f"column '{name}' has several values for each impression, so that rows cannot be cut by "
        f"it{_have(there)}"
    )


def _have(there: list[str]) -> str:
    return f"; there are: {', '.join(there) or 'none'}"
