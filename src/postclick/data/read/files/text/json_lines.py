"""Raw logs as JSON lines: one object a line, plain or compressed."""

import io
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from shlex import quote
from typing import Any

import polars as pl
import pyarrow as pa

from postclick.data.read.files.file_source import FileSource, require_different
from postclick.data.read.files.text import csv_lines
from postclick.data.read.files.text.byte_stream import (
    Utf8Stream,
    compression_of,
    mark_of,
    open_bytes,
)
from postclick.data.read.places.listing import Place
from postclick.data.schema.reading import ReadSettings
from postclick.errors import InputError

JSON_BLOCK_BYTES = 16 << 20
_LONG_INTEGER = r"^-?\d{16,}$"
# Lists and objects in each other beyond which the readers give up, at depths of their own.
DEPTH = 200
DEEP = f"holds lists or objects more than {DEPTH} deep, which are not read"
# The columns are those of the lines in these first bytes.
HEAD_BYTES = 4 << 20
# The output has another name than the input, which the shell would empty first.
MEND = "write one object a line, such as with jq -c {what} {name} > {stem}.lines.jsonl"
# Text that a float would not keep: codes with zeros before them, signs, mantissas of many digits.
_CODE = r"^(?:\+|-?0\d|-?\d\d+(?:\.\d*)?[eE])"


class JsonLinesSource(FileSource):
    """One file of JSON objects, a line each.

    Columns are the keys in the first 4 MB, and of the kind that they have there: whole numbers,
    decimals, and text for all else, truth values and whole numbers of more than 64 bits among it,
    or lists of these. A line that lacks a key, or has null, has a missing value. Where later
    values do not fit the kind of a column, it becomes text. Blank lines are no rows.

    Raises:
        InputError: the file is empty, a JSON array, or not JSON.
    """

    heeds = ("encoding",)

    def __init__(self, path: Place, read: ReadSettings | None = None) -> None:
        super().__init__(path)
        self._compression = compression_of(path)
        self._encoding = read.encoding if read is not None and read.encoding else "utf-8"
        self._encoding = mark_of(self._first(4)) or self._encoding
        if self._encoding == "utf-16":
            self.read_as = "with encoding utf-16"
        self._kinds = self._found()
        self._schema = {name: _text_of(kind) for name, kind in self._kinds.items()}

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._kinds)

    def _first(self, size: int) -> bytes:
        try:
            with open_bytes(self._path, self._compression) as stream:
                return bytes(stream.read(size))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} cannot be read: {error}") from None

    def _found(self) -> dict[str, pl.DataType]:
        """The columns and their kinds in the first lines."""
        if self._is_array():  # perhaps all in one line
            raise self._not_lines(".[]")
        block = next(self._blocks(HEAD_BYTES), b"")
        if not block.strip():
            raise InputError(f"{self.name} is empty: expected one JSON object a line")
        start = block.lstrip()
        try:
            found = pl.read_ndjson(block, infer_schema_length=None).schema
            for line in start.split(b"\n", 100)[:100]:
                if line.strip():
                    json.loads(line, object_pairs_hook=lambda pairs: self._one_each(pairs))
        except (pl.exceptions.PolarsError, RecursionError) as error:
            if b"\n" in start.split(b"{", 1)[-1].split(b":", 1)[0]:
                raise self._not_lines(".") from None
            raise self._damage(str(error)) from None
        return dict(found)

    def _is_array(self) -> bool:
        try:
            with self._stream() as stream:
                while not (start := stream.read(4096)).strip():
                    if not start:
                        return False
        except UnicodeError:
            raise self._not_encoded() from None
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} cannot be read: {error}") from None
        return start.lstrip().startswith(b"[")

    def _one_each(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        require_different([key for key, _ in pairs], self.name)
        return dict(pairs)

    def _not_lines(self, objects: str) -> InputError:
        """What to do with a file that jq finds `objects` in."""
        path = self._path
        name, stem = quote(path.name), quote(path.name.removesuffix(path.suffix))
        mend = MEND.format(what=f"'{objects}'", name=name, stem=stem)
        return InputError(f"{path} is JSON, but not one object a line: {mend}")

    def _stream(self) -> Utf8Stream:
        return Utf8Stream(open_bytes(self._path, self._compression), self._encoding)

    def _blocks(self, size: int) -> Iterator[bytes]:
        """The file in pieces that end with a line."""
        stream, rest = self._stream(), b""
        try:
            while piece := stream.read(size):
                end = piece.rfind(b"\n") + 1
                if end:
                    yield rest + piece[:end]
                    rest = piece[end:]
                else:
                    rest += piece
            if rest:
                yield rest
        except UnicodeError:
            raise self._not_encoded() from None
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} cannot be read to its end: {error}") from None
        finally:
            stream.close()

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for block in self._blocks(JSON_BLOCK_BYTES):
            if not block.strip():
                continue
            try:
                frame = pl.read_ndjson(block, schema={name: self._schema[name] for name in columns})
            except (pl.exceptions.PolarsError, RecursionError) as error:
                raise self._damage(str(error)) from None
            yield pl.DataFrame([_typed(frame[name], self._kinds[name]) for name in columns])

    def _not_encoded(self) -> InputError:
        raw = open_bytes(self._path, self._compression)
        return csv_lines.not_encoded(self._path, raw, self._encoding)

    def _damage(self, error: str) -> InputError:
        """What is wrong with the lines that polars could not read."""
        lists: dict[str, bool] = {}
        with io.BufferedReader(self._stream()) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    problem = _problem(line, lists) if line.strip() else None
                except UnicodeDecodeError:
                    return self._not_encoded()
                if problem is not None:
                    return InputError(
                        f"{self.name} cannot be read to its end: line {number} {problem}: "
                        "mend or remove the line"
                    )
        text = " ".join(error.split())
        return InputError(f"{self.name} cannot be read to its end as JSON lines: {text}")


def _text_of(kind: pl.DataType) -> pl.DataType | type[pl.DataType]:
    """Text for what is one value or a list of them; records and lists of lists as they are."""
    if isinstance(kind, pl.List):
        return kind if kind.inner.is_nested() else pl.List(pl.String)
    return kind if kind.is_nested() else pl.String


def _typed(column: pl.Series, kind: pl.DataType) -> pl.Series:
    """Text as the numbers that it was in the file, where all of it fits their kind."""
    inner = kind.inner if isinstance(kind, pl.List) else kind
    wanted = next((t for t in (pl.Int64(), pl.Float64()) if inner == t), None)
    if wanted is None:
        return column
    flat = column.list.explode() if isinstance(kind, pl.List) else column
    if wanted == pl.Float64():
        if bool(flat.str.contains(_CODE).any()):
            return column
        long = flat.filter(flat.str.contains(_LONG_INTEGER)).unique().to_list()
        # Not what polars writes a float as, but an id among decimals, which would round it.
        if any(format(Decimal(repr(float(text))).normalize(), "f") != text for text in long):
            return column
    try:
        numbers = column.cast(pl.List(wanted) if isinstance(kind, pl.List) else wanted)
    except pl.exceptions.InvalidOperationError:
        return column
    if wanted == pl.Int64() and not numbers.cast(column.dtype).equals(column, null_equal=True):
        return column  # "007" was text
    return numbers


def _depth_exceeds(value: Any, limit: int) -> bool:
    """Whether lists or objects lie in each other, `limit` of them and more."""
    level = [value]
    for _ in range(limit):
        nested = [v for v in level if isinstance(v, dict | list)]
        level = [one for v in nested for one in (v.values() if isinstance(v, dict) else v)]
    return any(isinstance(v, dict | list) for v in level)


def _problem(line: bytes, lists: dict[str, bool]) -> str | None:
    """What is wrong with a line; `lists` tells which keys had lists before, and is added to."""

    def no_number(text: str) -> None:
        raise ValueError(f"{text} is no JSON number, write null")

    try:
        record = json.loads(line.decode("utf-8-sig"), parse_constant=no_number)
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        return f"is not JSON ({error})"
    except RecursionError:
        return DEEP
    if not isinstance(record, dict):
        return "is not an object"
    for name, value in record.items():
        if _depth_exceeds(value, DEPTH):
            return DEEP
        if value is not None and lists.setdefault(name, isinstance(value, list)) != isinstance(
            value, list
        ):
            what = "one value" if lists[name] else "a list"
            other = "a list" if lists[name] else "one value"
            return f"has {what} in {name!r}, lines before it have {other}"
    return None
