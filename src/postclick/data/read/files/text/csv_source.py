"""Raw logs as separated values: CSV, TSV and their kin."""

import io
from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from postclick.data.read.files.file_source import FileSource
from postclick.data.read.files.text import csv_lines
from postclick.data.read.files.text.byte_stream import (
    SpacedQuote,
    Utf8Stream,
    compression_of,
    is_utf8,
    mark_of,
    open_bytes,
)
from postclick.data.read.files.text.text_format import TextFormat, sniff
from postclick.data.read.places.listing import Place
from postclick.data.read.tables.arrow_frame import frame_of
from postclick.data.schema.reading import ReadSettings
from postclick.errors import InputError

CSV_BLOCK_BYTES = 16 << 20
# What a format is told from; more where the first line is longer.
HEAD_BYTES = 64 << 10


class CsvSource(FileSource):
    """One text file of separated values, plain or compressed; every column is read as text.

    What `read` leaves open is told from the first lines. A blank line is no row, but in a file of
    one column it is a missing value.

    Raises:
        InputError: the file is empty, in another encoding, or its header is not to be told.
    """

    heeds = ("separator", "decimal", "header", "encoding")

    def __init__(self, path: Place, read: ReadSettings | None = None) -> None:
        super().__init__(path)
        self._settings = read or ReadSettings()
        self._compression = compression_of(path)
        self._encoding, told, self._format, self._no_rows = self._sniffed()
        seen = [*self._format.seen, *([f"encoding {told}"] if told else [])]
        if seen:
            self.read_as = "with " + ", ".join(seen[:-1]) + (" and " if seen[1:] else "") + seen[-1]

    @property
    def columns(self) -> tuple[str, ...]:
        return self._format.names

    @property
    def decimal(self) -> str | None:
        return self._format.decimal

    def _sniffed(self) -> tuple[str, str, TextFormat, bool]:
        """Encoding, that if only its mark told it, format, and whether there is only a header."""
        size = HEAD_BYTES
        while True:
            raw, complete = self._head(size)
            encoding = self._settings.encoding or mark_of(raw) or "utf-8"
            text = csv_lines.decoded(self._path, raw, encoding, complete)
            found = sniff(self._path, text, complete, self._settings)
            if found is not None:
                break
            if size >= CSV_BLOCK_BYTES:
                raise InputError(
                    f"{self.name} cannot be read as CSV: no line ends in its first {size >> 20} MB"
                )
            size *= 4
        marked = self._settings.encoding is None and not is_utf8(encoding)
        told = encoding if marked and encoding != "utf-8-sig" else ""
        lines = [line for line in text.splitlines() if line.strip("\ufeff")]
        return encoding, told, found, complete and found.header and len(lines) == found.skip + 1

    def _head(self, size: int) -> tuple[bytes, bool]:
        """The first bytes, unpacked, and whether they are all."""
        try:
            with open_bytes(self._path, self._compression) as stream:
                raw = stream.read(size + 1)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} cannot be read: {error}") from None
        return raw[:size], len(raw) <= size

    def _stream(self, watched: bool = False) -> Utf8Stream:
        raw = open_bytes(self._path, self._compression)
        watch = csv_lines.spaced_quote(self._format.separator) if watched else None
        encoding = "utf-8" if self._encoding == "utf-8-sig" else self._encoding
        return Utf8Stream(raw, encoding, watch)

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        done = 0
        try:
            if self._no_rows:
                return
            if not self._format.spaced:
                try:
                    for batch in self._fast(columns):
                        yield frame_of(pa.Table.from_batches([batch])).select(list(columns))
                        done += batch.num_rows
                    return
                except SpacedQuote:
                    pass
            yield from csv_lines.slow_frames(
                self._stream(), self._format, columns, done, self._path
            )
        except UnicodeError:
            raise csv_lines.not_encoded(self._path, self._stream_bytes(), self._encoding) from None
        except (OSError, pa.ArrowException) as error:
            raise self._damage(error) from None

    def _fast(self, columns: Sequence[str]) -> pa_csv.CSVStreamingReader:
        names = list(self._format.names)
        stream = pa.PythonFile(self._stream(watched=self._format.separator != " "), mode="r")
        return pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(
                column_names=names,
                skip_rows=self._format.skip,
                skip_rows_after_names=int(self._format.header),
                block_size=CSV_BLOCK_BYTES,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._format.separator,
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                include_columns=list(columns) or None,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )

    def _stream_bytes(self) -> io.FileIO | pa.NativeFile:
        return open_bytes(self._path, self._compression)

    def _damage(self, error: Exception) -> InputError:
        """What is wrong with the file that pyarrow could not read."""
        if "UTF8" in str(error) and is_utf8(self._encoding):
            return csv_lines.not_encoded(self._path, self._stream_bytes(), self._encoding)
        if not isinstance(error, OSError):
            line = csv_lines.bad_line(self._stream(), self._format)
            if line is not None:
                return InputError(f"{self.name} cannot be read to its end: {line}")
        text = " ".join(str(error).split())
        return InputError(
            f"{self.name} cannot be read to its end as CSV: {text}: "
            "mend or remove the line, fetch the file again, or write the log as Parquet"
        )
