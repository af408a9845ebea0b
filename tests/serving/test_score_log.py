"""`postclick score`: any log, in order, and nothing half-written."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from helpers.commands import run, succeed
from postclick import score
from postclick.data.read.log_source import FrameSource
from postclick.errors import InputError
from postclick.serving.bundle.bundle import Bundle

Raw = tuple[pl.DataFrame, pl.DataFrame]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", 250)
    monkeypatch.setattr("postclick.serving.score_log.PIECE_ROWS", 60)
    monkeypatch.setattr("postclick.serving.score_writer.GROUP_ROWS", 500)


@pytest.fixture
def log(mixed_raw: Raw, tmp_path: Path) -> Path:
    path = tmp_path / "log.parquet"
    mixed_raw[1].write_parquet(path)
    return path


@pytest.mark.parametrize("threads", [1, 3])
def test_one_row_per_row_in_order(
    mixed_bundle: Bundle, mixed_raw: Raw, log: Path, tmp_path: Path, threads: int
) -> None:
    out = tmp_path / "scores.parquet"
    done = score(mixed_bundle.folder, log, out, keep=["user", "shop"], threads=threads)
    found = pl.read_parquet(out)
    test = mixed_raw[1]
    assert done.rows == found.height == test.height
    assert found.columns == ["user", "shop", "pctr", "pcvr", "pctcvr"]
    assert found.select("user", "shop").equals(test.select("user", "shop"))
    whole = mixed_bundle.score(test)
    for name in whole.columns:
        assert (found[name] - whole[name]).abs().max() < 1e-6


def test_the_command(mixed_bundle: Bundle, log: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    call = ["score", mixed_bundle.folder, log, log, "--out", out]
    printed = succeed(*call, "--keep", "user, age")
    assert printed.startswith(f"{out}: 2,400 rows in ")
    found = pl.read_parquet(out)
    assert found.columns == ["user", "age", "pctr", "pcvr", "pctcvr"]
    assert found.head(1200).equals(found.tail(1200))
    as_json = json.loads(succeed(*call, "--json", "--threads", "1"))
    assert as_json["rows"] == 2400 and pl.read_parquet(out).columns == ["pctr", "pcvr", "pctcvr"]


def test_no_rows(mixed_bundle: Bundle, mixed_raw: Raw, tmp_path: Path) -> None:
    source = FrameSource(mixed_raw[1].head(0))
    assert score(mixed_bundle, source, tmp_path / "s.parquet", keep=["user"]).rows == 0
    found = pl.read_parquet(tmp_path / "s.parquet")
    assert found.height == 0 and found.columns == ["user", "pctr", "pcvr", "pctcvr"]


class Breaking(FrameSource):
    """A log that cannot be read to its end."""

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for number, frame in enumerate(super().frames(columns)):
            if number == 3:
                raise InputError("the log breaks off")
            yield frame


def test_a_log_that_breaks_off_leaves_nothing(
    mixed_bundle: Bundle, mixed_raw: Raw, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    with pytest.raises(InputError, match="breaks off"):
        score(mixed_bundle, Breaking(mixed_raw[1]), out)
    assert list(tmp_path.iterdir()) == []
    out.write_text("what was there")
    with pytest.raises(InputError, match="breaks off"):
        score(mixed_bundle, Breaking(mixed_raw[1]), out)
    assert out.read_text() == "what was there" and list(tmp_path.iterdir()) == [out]


def test_a_bad_value_deep_in_the_log_leaves_nothing(
    mixed_bundle: Bundle, mixed_raw: Raw, tmp_path: Path
) -> None:
    prices = mixed_raw[1]["price"].cast(pl.String)
    prices[900] = "dear"
    frame = mixed_raw[1].with_columns(prices)
    with pytest.raises(InputError, match=r"'price': 1 values are not numbers \(such as 'dear'\)"):
        score(mixed_bundle, FrameSource(frame), tmp_path / "scores.parquet")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_scored_is_one_line(
    mixed_bundle: Bundle, mixed_raw: Raw, log: Path, tmp_path: Path
) -> None:
    folder, out = mixed_bundle.folder, ["--out", tmp_path / "scores.parquet"]
    less = tmp_path / "less.parquet"
    mixed_raw[1].drop("user", "weight").write_parquet(less)
    other = tmp_path / "other.parquet"
    mixed_raw[1].with_columns(pl.col("user").cast(pl.String)).write_parquet(other)
    cases: list[tuple[list[object], str]] = [
        ([folder, less, *out], "no column 'user', 'weight'; it has shop"),
        ([folder, log, *out, "--keep", "colour"], "no column 'colour'"),
        ([folder, log, *out, "--threads", "0"], "threads is 0: give 1 or more"),
        ([folder, tmp_path / "none.csv", *out], "none.csv does not exist"),
        ([tmp_path, log, *out], "is not a bundle (no bundle.json): make one with"),
        ([folder, log, other, *out, "--keep", "user"], "different types in the columns to keep"),
        ([folder, log, "--out", tmp_path / "no" / "s.parquet"], "s.parquet cannot be written"),
        ([folder, log, "--out", log], "is the log that is to be scored: name another file"),
        ([folder, log, log, "--out", log], "is the log that is to be scored: name another file"),
        ([folder, log, "--out", tmp_path], "is a folder: name a file to write"),
    ]
    for arguments, message in cases:
        done = run("score", *arguments)
        assert done.code == 2, arguments
        assert len(done.err.splitlines()) == 1 and message in done.err, done.err
    assert not (tmp_path / "scores.parquet").exists()
    with pytest.raises(InputError, match="column 'pctr' cannot be kept"):
        score(mixed_bundle, log, tmp_path / "s.parquet", keep=["pctr"])


def test_csv_scores_as_parquet_does(
    mixed_bundle: Bundle, mixed_raw: Raw, log: Path, tmp_path: Path
) -> None:
    lists = pl.col("history", "weight").cast(pl.List(pl.String)).list.join("|")
    mixed_raw[1].with_columns(lists).write_csv(tmp_path / "log.csv")
    found = []
    for path in (log, tmp_path / "log.csv"):
        score(mixed_bundle, path, tmp_path / "scores.parquet")
        found.append(pl.read_parquet(tmp_path / "scores.parquet"))
    assert found[0].height == 1200 and found[0].equals(found[1])
