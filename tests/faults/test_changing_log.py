"""A log that somebody writes while it is read: refused, or read as one of its states."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from faults.cases import Inputs
from helpers.commands import Done, run
from postclick.data.read import opening as source


def append(log: Path) -> None:
    with log.open("ab") as file:
        file.write(log.read_bytes().splitlines(keepends=True)[1] * 50)


def cut(log: Path) -> None:
    data = log.read_bytes()
    log.write_bytes(data[: len(data) // 2])


def remove(log: Path) -> None:
    log.unlink()


def replace(log: Path) -> None:
    rows = log.read_bytes().splitlines(keepends=True)
    new = log.with_suffix(".new")
    new.write_bytes(b"".join([rows[0], *reversed(rows[1:])]))
    new.replace(log)


CHANGES = [append, cut, remove, replace]


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Callable[[Path], None]], None]:
    """Lets a change happen after the first piece of a log has been read."""

    def begin(log: Path, change: Callable[[Path], None]) -> None:
        done = []
        for kind in (source.CsvSource, source.ParquetSource):
            whole = kind._read

            def read(
                self: source.LogSource, columns: list[str], whole: Callable = whole
            ) -> Iterator[pl.DataFrame]:
                for frame in whole(self, columns):
                    yield frame
                    if not done and self.name == str(log):
                        done.append(True)
                        change(log)

            monkeypatch.setattr(kind, "_read", read)

    return begin


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_prepare(
    inputs: Inputs, tmp_path: Path, changed: Callable[..., None], change: Callable[[Path], None]
) -> None:
    log = tmp_path / "train.csv"
    log.write_bytes((inputs.folder / "train.csv").read_bytes())
    out = tmp_path / "data"
    schema = str(inputs.folder / "schema.yaml")
    changed(log, change)
    check_refused(run("prepare", "--schema", schema, "--train", str(log), "--out", out), log)
    assert not out.exists() and [p.name for p in tmp_path.iterdir() if ".tmp-" in p.name] == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_score(
    inputs: Inputs, tmp_path: Path, changed: Callable[..., None], change: Callable[[Path], None]
) -> None:
    log, out = tmp_path / "log.csv", tmp_path / "scores.parquet"
    log.write_bytes((inputs.folder / "test.csv").read_bytes())
    changed(log, change)
    check_refused(run("score", inputs.folder / "bundle", log, "--out", out), log)
    assert not out.exists() and [p.name for p in tmp_path.iterdir() if ".tmp-" in p.name] == []


def check_refused(done: Done, log: Path) -> None:
    assert done.code == 2, done.err
    last = done.err.splitlines()[-1]
    assert last.startswith("postclick: ") and str(log) in last, done.err
    assert "chang" in last, last
