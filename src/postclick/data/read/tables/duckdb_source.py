"""DuckDB relations and files as logs."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from postclick.data.read import chunks
from postclick.data.read.tables.arrow_source import ArrowSource
from postclick.errors import InputError
from postclick.extras import require

SUFFIXES = (".duckdb", ".ddb")
# What stands in such a file behind a checksum of 8 bytes.
MAGIC = b"DUCK"
SYSTEM = ("information_schema", "pg_catalog")


class DuckDbSource(ArrowSource):
    """A DuckDB relation, in the order that it gives: put `order by` into it where that matters."""

    def __init__(self, relation: Any, name: str = "relation") -> None:
        self._relation = relation
        super().__init__(name, _schema(relation, name))

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        import duckdb

        chosen = [duckdb.ColumnExpression(name) for name in columns]
        try:
            reader = self._relation.select(*chosen).to_arrow_reader(chunks.CHUNK_ROWS)
            try:
                for batch in reader:
                    yield pa.Table.from_batches([batch])
            finally:
                reader.close()  # or the connection would have an open result
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise InputError(f"{self.name} cannot be read to its end: {error}") from None


class DuckDbFile(DuckDbSource):
    """One table of a DuckDB file, opened for reading alone, in the order of its rows."""

    def __init__(self, path: Path, table: str | None = None) -> None:
        require("duckdb", "duckdb", f"{path}")
        self._path = path
        # Others may open the file while nobody reads this log.
        with closing(_connect(path)) as connection:
            chosen = _chosen(path, table, _tables_in(connection))
            quoted = ".".join('"' + part.replace('"', '""') + '"' for part in chosen.split("."))
            self._query = f"select * from {quoted}"
            self._opened = self._stamp()
            super().__init__(connection.sql(self._query), f"{path}::{chosen}")
        self._relation = None

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        with closing(_connect(self._path)) as connection:
            self._relation = connection.sql(self._query)
            yield from super()._tables(columns)

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for frame in super().frames(columns):
            self._require_same()
            yield frame
        self._require_same()

    def _require_same(self) -> None:
        if self._stamp() != self._opened:
            raise InputError(
                f"{self.name} changed while it was read: begin again when nobody writes to it, "
                "or read a copy"
            )

    def state(self) -> tuple[str, ...]:
        return (str(self._path.resolve()), self.name.rpartition("::")[2], *map(str, self._stamp()))

    @property
    def files(self) -> tuple[Path, ...]:
        return (self._path,)

    def _stamp(self) -> tuple[int, ...]:
        stamps: tuple[int, ...] = ()
        for path in (self._path, self._path.with_name(self._path.name + ".wal")):
            if path.exists():
                facts = path.stat()
                stamps += (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        return stamps


def _chosen(path: Path, table: str | None, known: Sequence[str]) -> str:
    """The table to read among those there are."""
    if table is None and len(known) != 1:
        have = ", ".join(known) or "none"
        raise InputError(f"{path} has the tables {have}: name one as '{path}::TABLE'")
    chosen = table if table is not None else known[0]
    if chosen not in known:
        raise InputError(f"{path} has no table {chosen!r}; it has {', '.join(known) or 'none'}")
    return chosen


def is_duckdb(path: Path) -> bool:
    """Whether a file is one of DuckDB's, or is called so."""
    if path.name.lower().endswith(SUFFIXES):
        return True
    try:
        with path.open("rb") as file:
            return file.read(8 + len(MAGIC))[8:] == MAGIC
    except OSError:
        return False  # told where it is read


def split_table(name: str) -> tuple[str, str | None]:
    """The file and the table of `log.duckdb::table`.

    >>> split_table("log.duckdb::main.log"), split_table("log.duckdb")
    (('log.duckdb', 'main.log'), ('log.duckdb', None))
    """
    file, mark, table = name.rpartition("::")
    return (file, table) if mark and file and table else (name, None)


def _schema(relation: Any, name: str) -> pa.Schema:
    import duckdb

    try:
        reader = relation.limit(0).to_arrow_reader(1)
        try:
            return reader.schema
        finally:
            reader.close()
    except (duckdb.Error, pa.ArrowException) as error:
        raise InputError(f"{name} cannot be read: {error}") from None


def _connect(path: Path) -> Any:
    import duckdb

    try:
        return duckdb.connect(path, read_only=True)
    except (duckdb.Error, OSError) as error:
        raise InputError(f"{path} cannot be opened as a DuckDB file: {error}") from None


def _tables_in(connection: Any) -> list[str]:
    """Tables and views by name, those outside the schema `main` with its name before theirs."""
    found = connection.sql(
        "select table_schema, table_name from information_schema.tables order by 1, 2"
    ).fetchall()
    return [
        name if schema == "main" else f"{schema}.{name}"
        for schema, name in found
        if schema not in SYSTEM
    ]
