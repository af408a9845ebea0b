"""Ali-CCP in its raw form, on generated files and against a second reader."""

import gc
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from postclick.datasets.aliccp import ALICCP
from postclick.datasets.aliccp import blocks as aliccp_blocks
from postclick.datasets.aliccp import raw as aliccp_raw
from postclick.datasets.aliccp.raw import RawAliCcp
from postclick.errors import InputError

from .aliccp_files import HISTORIES, KEY, Impression, User, frame_of, random_log, write
from .aliccp_slow import slow_rows


def one_user(folder: Path, rows: list[list[tuple[str, int, str]]]) -> Path:
    """A training split of one user whose impressions have the given tokens."""
    write(
        folder,
        "train",
        [Impression(i, 0, 0, KEY, tokens) for i, tokens in enumerate(rows, 1)],
        [User(KEY, [("101", 31319, "1.0"), ("109_14", 5, "0.69315"), ("109_14", 3, "2.5")])],
    )
    return folder


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks and many frames even for small files."""
    monkeypatch.setattr(aliccp_blocks, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(aliccp_raw, "LIST_ROWS", 3)


def assert_equals_slow(frame: pl.DataFrame, expected: list[dict[str, Any]]) -> None:
    assert frame.height == len(expected)
    for name in frame.columns:
        wanted = [row[name] for row in expected]
        if name.endswith("_weight"):
            wanted = [None if x is None else np.float32(x).tolist() for x in wanted]
        elif name.endswith("_value"):
            wanted = np.array(wanted, np.float32).tolist()
        assert frame[name].to_list() == wanted, name


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("preset", ["standard", "all"])
@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_slow_reader(tmp_path: Path, preset: str, drop: bool, seed: int) -> None:
    for split in ("train", "test"):
        write(tmp_path, split, *random_log(seed + 100 * (split == "test")))
    options = {"preset": preset, "drop_unclicked_purchases": drop}
    splits = ALICCP.load(tmp_path, options)
    for split, source in (("train", splits.train), ("test", splits.test)):
        expected = slow_rows(tmp_path, split, preset, drop)
        frame = frame_of(source)
        assert set(frame.columns) == set(expected[0])
        assert_equals_slow(frame, expected)
    assert set(splits.schema.columns) < set(splits.train.columns)


def test_one_block_equals_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "train", *random_log(7))
    whole = frame_of(ALICCP.load(tmp_path, {"preset": "all"}).train)
    for size in (64, 501, 4096):
        monkeypatch.setattr(aliccp_blocks, "BLOCK_BYTES", size)
        assert frame_of(ALICCP.load(tmp_path, {"preset": "all"}).train).equals(whole)


@pytest.mark.usefixtures("small_blocks")
def test_every_pass_gives_the_same_frames(tmp_path: Path) -> None:
    write(tmp_path, "train", *random_log(3))
    source = ALICCP.load(tmp_path, {"preset": "all"}).train
    first = list(source.frames(source.columns))
    assert len(first) > 5
    half_read = source.frames(source.columns)
    next(half_read)
    again = list(source.frames(source.columns))
    assert [f.height for f in first] == [f.height for f in again]
    assert all(a.equals(b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    "columns",
    [
        ["purchase"],
        ["109_14_weight"],
        ["301", "click", "101"],
        ["853_weight", "853", "sample_id"],
        ["702_value"],
        ["150_14", "205"],
    ],
)
def test_some_columns_are_those_of_all(tmp_path: Path, columns: list[str]) -> None:
    write(tmp_path, "train", *random_log(11))
    source = ALICCP.load(tmp_path, {"preset": "all"}).train
    some = frame_of(source, columns)
    assert some.columns == columns
    assert some.equals(frame_of(source).select(columns))


def test_unknown_column(tmp_path: Path) -> None:
    write(tmp_path, "train", *random_log(0))
    with pytest.raises(InputError, match="no column '999'"):
        next(ALICCP.load(tmp_path).train.frames(["999"]))


def test_missing_field_is_null(tmp_path: Path) -> None:
    folder = one_user(tmp_path, [[("301", 1, "1.0")], [("216", 9, "1.0"), ("301", 2, "1.0")]])
    frame = frame_of(ALICCP.load(folder, {"preset": "all"}).train)
    assert frame["216"].to_list() == [None, 9]
    assert frame["101"].to_list() == [31319, 31319]
    assert frame["121"].to_list() == [None, None]
    assert frame["110_14"].to_list() == [None, None]
    assert frame["853"].to_list() == [None, None]
    assert frame["508_value"].to_list() == [0.0, 0.0]


def test_last_value_wins(tmp_path: Path) -> None:
    tokens = [("508", 7, "1.5"), ("301", 1, "1.0"), ("508", 8, "0.25"), ("853", 4, "0.5")]
    folder = one_user(tmp_path, [[*tokens, ("853", 3, "2.25")]])
    standard = frame_of(ALICCP.load(folder).train)
    assert (standard["508"][0], standard["853"][0]) == (8, 3)
    every = frame_of(ALICCP.load(folder, {"preset": "all"}).train)
    assert (every["508"][0], every["508_value"][0]) == (8, 0.25)
    assert every["853"].to_list() == [[4, 3]]
    assert every["853_weight"].to_list() == [[0.5, 2.25]]


def test_histories_keep_order_and_weights(tmp_path: Path) -> None:
    folder = one_user(tmp_path, [[("301", 1, "1.0")]] * 2)
    frame = frame_of(ALICCP.load(folder, {"preset": "all"}).train)
    assert frame["109_14"].to_list() == [[5, 3]] * 2
    assert frame["109_14_weight"].to_list() == [[np.float32(0.69315), 2.5]] * 2


def test_history_length(tmp_path: Path) -> None:
    write(tmp_path, "train", *random_log(5))
    every = frame_of(ALICCP.load(tmp_path, {"preset": "all"}).train)
    splits = ALICCP.load(tmp_path, {"preset": "all", "history_length": 4})
    cut = frame_of(splits.train)
    assert cut["127_14"].list.len().max() == 4
    for name in ("109_14", "150_14_weight"):
        assert cut[name].equals(every[name].list.head(4))
    assert cut["210"].equals(every["210"])
    lengths = {m.name: m.max_length for m in splits.schema.multi}
    assert (lengths["109_14"], lengths["210"]) == (4, None)
    assert any("first 4" in note for note in splits.notes)


def test_values_in_any_decimal_form(tmp_path: Path) -> None:
    forms = ["1", "0.5", "1e-3", "3.4657359027997265", "12345.678", "2."]
    folder = one_user(tmp_path, [[("508", 1, form)] for form in forms])
    frame = frame_of(ALICCP.load(folder, {"preset": "all"}).train)
    assert frame["508_value"].to_list() == [np.float32(form).item() for form in forms]


def test_unclicked_purchases_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        Impression(i, c, v, KEY, [("301", i, "1.0")])
        for i, (c, v) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1), (0, 1)], 1)
    ]
    write(tmp_path, "train", rows, [User(KEY, [("101", 1, "1.0")])])
    splits = ALICCP.load(tmp_path)
    assert frame_of(splits.train)["sample_id"].to_list() == [1, 3, 4]
    counts = cast(RawAliCcp, splits.train).counts
    assert counts is not None
    assert (counts.rows, counts.dropped, counts.absent) == (5, 2, 0)
    assert any("no click are dropped" in note for note in splits.notes)
    kept = ALICCP.load(tmp_path, {"drop_unclicked_purchases": False})
    assert frame_of(kept.train)["sample_id"].to_list() == [1, 2, 3, 4, 5]
    assert not any("dropped" in note for note in kept.notes)


def test_standard_schema_is_that_of_the_papers(tmp_path: Path) -> None:
    write(tmp_path, "train", *random_log(0))
    schema = ALICCP.load(tmp_path).schema
    fields = "101 121 122 124 125 126 127 128 129 205 206 207 216 508 509 702 853 301"
    assert schema.feature_names == tuple(fields.split())
    assert (schema.min_count, schema.click.column, schema.conversion.column) == (
        12,
        "click",
        "purchase",
    )
    every = ALICCP.load(tmp_path, {"preset": "all"}).schema
    assert [m.name for m in every.multi] == ["210", "853", *HISTORIES]
    assert [m.weights for m in every.multi][:2] == [None, "853_weight"]


def test_last_of_two_common_rows_with_one_index(tmp_path: Path) -> None:
    users = [User(KEY, [("101", 1, "1.0")]), User(KEY, [("101", 2, "1.0")])]
    write(tmp_path, "train", [Impression(1, 0, 0, KEY, [("301", 1, "1.0")])], users)
    assert frame_of(ALICCP.load(tmp_path).train)["101"].to_list() == [2]


def test_compressed_and_windows_line_breaks(tmp_path: Path) -> None:
    write(tmp_path / "plain", "train", *random_log(9))
    write(tmp_path / "gz", "train", *random_log(9), gz=True)
    write(tmp_path / "dos", "train", *random_log(9))
    for file in (tmp_path / "dos").iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    plain, gz, dos = (
        frame_of(ALICCP.load(tmp_path / kind, {"preset": "all"}).train)
        for kind in ("plain", "gz", "dos")
    )
    assert plain.equals(gz)
    assert plain.equals(dos)


def test_temporary_files_live_as_long_as_the_source(tmp_path: Path) -> None:
    write(tmp_path / "log", "train", *random_log(2))
    temp = tmp_path / "temp"
    splits = ALICCP.load(tmp_path / "log", {"preset": "all", "temp": str(temp)})
    frame_of(splits.train, ["101", "205"])
    assert not temp.exists() or not list(temp.iterdir())
    frame_of(splits.train)
    assert len(list(temp.iterdir())) == 1
    del splits
    gc.collect()
    assert list(temp.iterdir()) == []
