"""pandas frames as logs, without a need for pandas where there is none."""

import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from postclick.data.read.tables.arrow_frame import is_readable
from postclick.data.read.tables.arrow_source import ArrowSource, content_state
from postclick.errors import InputError


def is_pandas(value: object) -> bool:
    """Whether it is a pandas frame; nothing is imported to tell."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


class PandasSource(ArrowSource):
    """A pandas frame; its index is no column. Columns become Arrow when they are first read.

    Nullable, categorical, Arrow and time zone types keep their values, NaN is missing, and object
    columns are taken by what they hold, which has to be of one kind.
    """

    def __init__(self, frame: Any, name: str = "frame") -> None:
        self._frame = frame
        self._names = [_column_name(label) for label in frame.columns]
        # Types are told when a column is read; only records and names matter before.
        fields = [pa.field(n, _kind(frame, k)) for k, n in enumerate(self._names)]
        super().__init__(name, pa.schema(fields))
        self._arrays: dict[str, pa.ChunkedArray] = {}

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        yield pa.table([self._array(name) for name in columns], names=columns)

    def _array(self, name: str) -> pa.ChunkedArray:
        if name not in self._arrays:
            place = self._names.index(name)
            try:
                self._arrays[name] = _array(self._frame, place)
            except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
                series = self._frame.iloc[:, place]
                kind = series.dtype
                held = kinds_in(series) if str(kind) == "object" else ""
                raise InputError(
                    f"column {name!r} of the frame is {kind}{held}, which is no column of one "
                    f"type ({error}): write frame[{name!r}].astype('string'), or a number type"
                ) from None
        return self._arrays[name]

    def state(self) -> tuple[str, ...]:
        return content_state(self, [name for name in self._names if self._can_be_read(name)])

    def _can_be_read(self, name: str) -> bool:
        try:
            return is_readable(self._array(name).type)
        except InputError:  # said when the column is needed
            return False


def _array(frame: Any, place: int) -> pa.ChunkedArray:
    alone = frame.iloc[:, [place]]
    try:
        return pa.Table.from_pandas(alone, preserve_index=False).column(0)
    except OverflowError:  # Python's integers from 2^63 on
        return pa.chunked_array([pa.array(alone.iloc[:, 0], pa.uint64(), from_pandas=True)])


def kinds_in(series: Any) -> str:
    """The Python types in an object column, missing ones left out."""
    kinds = sorted({type(value).__name__ for value in series[series.notna()].head(100_000)})
    return f" with {', '.join(kinds[:4])}" if kinds else ""


def _column_name(label: object) -> str:
    if isinstance(label, tuple):
        raise InputError(
            f"column {label!r} of the frame has a name of several levels: "
            "join them, as in frame.columns = ['.'.join(map(str, c)) for c in frame.columns]"
        )
    return str(label)


def _kind(frame: Any, place: int) -> pa.DataType:
    """The type of a column where it may be a record's, null for any other."""
    series = frame.iloc[:, place]
    kind = getattr(series.dtype, "pyarrow_dtype", None)
    if kind is not None:
        return kind
    if str(series.dtype) == "object":
        first = next((value for value in series.head(1000) if isinstance(value, dict)), None)
        if first is not None:
            try:
                return _array(frame, place).type
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                return pa.null()  # refused when the column is read
    return pa.null()
