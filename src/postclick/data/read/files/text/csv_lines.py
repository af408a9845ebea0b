"""Separated values read line by line: what fast readers cannot, and which line is wrong."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow as pa

from postclick.data.read import chunks
from postclick.data.read.files.text.byte_stream import Utf8Stream, is_utf8
from postclick.data.read.files.text.text_format import TextFormat
from postclick.data.read.places.listing import Place
from postclick.errors import InputError
from postclick.spelling import counted

PIECE_BYTES = 1 << 20
LONGEST_FIELD = 1 << 30


def spaced_quote(separator: str) -> re.Pattern[bytes]:
    """Matches a quoted cell after spaces; a doubled quote within a cell is none.

    >>> bool(spaced_quote(",").search(b'1, "a,b"')), bool(spaced_quote(",").search(b'"[1, ""a""]"'))
    (True, False)
    """
    end = re.escape(separator.encode())
    return re.compile(rb"[" + end + rb"\n] +\"(?:[^\"]|\"[" + end + rb"\r\n])")


def decoded(path: Place, raw: bytes, encoding: str, complete: bool) -> str:
    """The text of the first bytes of a file.

    Raises:
        InputError: they are not in this encoding.
    """
    nulls, odd = raw.count(b"\0"), raw[1::2].count(b"\0")
    if is_utf8(encoding) and nulls > len(raw) / 5 and not nulls / 10 < odd < nulls * 0.9:
        order = "le" if odd > nulls / 2 else "be"
        raise InputError(
            f"{path} is not UTF-8: every other byte is zero, as in UTF-16 without a mark: set "
            f"read: {{encoding: utf-16-{order}}} in the schema, or --read encoding=utf-16-{order}"
        )
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(raw, final=complete)
    except UnicodeError:
        if nulls and is_utf8(encoding):
            raise InputError(
                f"{path} is neither text nor in a format that is read: write it as CSV, JSON "
                "lines, Parquet, Arrow IPC, Avro or ORC"
            ) from None
        raise not_encoded(path, io.BytesIO(raw), encoding) from None


def not_encoded(path: Place, stream: io.IOBase | pa.NativeFile, encoding: str) -> InputError:
    """The error for a file whose bytes are not in `encoding`, with the line of the first."""
    name = "UTF-8" if is_utf8(encoding) or encoding == "utf-8-sig" else encoding
    decoder = codecs.getincrementaldecoder(encoding)()
    line, found = 1, ""
    with stream:
        while piece := stream.read(PIECE_BYTES):
            try:
                text = decoder.decode(piece)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                found = f", byte 0x{error.object[error.start]:02x}"
                break
            except UnicodeError:  # of UTF-16 and UTF-32 without a mark
                break
            line += text.count("\n")
    return InputError(
        f"{path} is not {name} (line {line}{found}): set read: {{encoding: latin-1}} in the "
        "schema, or --read encoding=latin-1, or the encoding that it is in"
    )


def slow_frames(
    stream: Utf8Stream, form: TextFormat, columns: Sequence[str], skip: int, path: Place
) -> Iterator[pl.DataFrame]:
    """The rows after the first `skip` ones as text, quoted cells after spaces among them.

    Raises:
        InputError: a line has more or fewer cells than the header.
    """
    places = [form.names.index(name) for name in columns]
    rows: list[list[str | None]] = []
    for number, (lines, cells) in enumerate(_records(stream, form)):
        if len(cells) != len(form.names):
            raise InputError(f"{path} cannot be read to its end: {_ragged(lines, cells, form)}")
        if number >= skip:
            rows.append([cells[k] or None for k in places])
        if len(rows) == chunks.CHUNK_ROWS:
            yield _frame(rows, columns)
            rows = []
    if rows:
        yield _frame(rows, columns)


def bad_line(stream: Utf8Stream, form: TextFormat) -> str | None:
    """The first line that has not as many cells as the header, and the mend."""
    for lines, cells in _records(stream, form):
        if len(cells) != len(form.names):
            return _ragged(lines, cells, form)
    return None


def _frame(rows: list[list[str | None]], columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _records(stream: Utf8Stream, form: TextFormat) -> Iterator[tuple[range, list[str]]]:
    """The numbers of the lines and the cells of each row."""
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    with io.TextIOWrapper(io.BufferedReader(stream), "utf-8-sig", newline="") as text:
        for _ in range(form.skip):
            text.readline()
        spaced = form.spaced or form.separator != " "
        reader = csv.reader(text, delimiter=form.separator, skipinitialspace=spaced)
        first, start = form.header, form.skip + 1
        for cells in reader:
            lines = range(start, form.skip + reader.line_num + 1)
            start = lines.stop
            if first and cells:
                first = False
            elif cells:
                yield lines, cells
            elif len(form.names) == 1:
                yield lines, [""]


def _ragged(lines: range, cells: list[str], form: TextFormat) -> str:
    count, width = len(cells), len(form.names)
    where = "its header" if form.header else "the first"
    end = " (it ends with a separator)" if count == width + 1 and cells[-1] == "" else ""
    one = f"line {lines[0]}"
    if len(lines) > 1:
        one = f"the row of lines {lines[0]} to {lines[-1]}, where a quote opens,"
    return f"{one} has {counted(count, 'column')}{end}, {where} {width}: mend or remove it"
