"""What the Ali-CCP reader says of files that are damaged, missing or not a pair."""

import gc
import gzip
from pathlib import Path

import pytest

from postclick.datasets.aliccp import ALICCP
from postclick.datasets.aliccp import blocks as aliccp_blocks
from postclick.datasets.aliccp import raw as aliccp_raw
from postclick.errors import InputError

from .aliccp_files import KEY, Impression, User, frame_of, random_log, write


@pytest.mark.parametrize("preset", ["standard", "all"])
def test_few_absent_users_are_null(tmp_path: Path, preset: str) -> None:
    rows = [Impression(i, 0, 0, KEY, [("301", 1, "1.0")]) for i in range(1, 1001)]
    rows[500].key = "00" * 8
    users = [User(KEY, [("101", 1, "1.0"), ("109_14", 4, "0.5")])]
    write(tmp_path, "train", rows, users)
    source = ALICCP.load(tmp_path, {"preset": preset}).train
    with pytest.warns(UserWarning, match="1 of 1000 rows have a common_feature_index"):
        frame = frame_of(source)
    assert frame["101"].to_list() == [1] * 500 + [None] + [1] * 499
    if preset == "all":
        assert frame["109_14"].to_list() == [[4]] * 500 + [None] + [[4]] * 499
    assert frame_of(source, ["301"]).height == 1000


def test_many_absent_users_are_an_error(tmp_path: Path) -> None:
    rows = [Impression(i, 0, 0, KEY, [("301", 1, "1.0")]) for i in range(1, 1001)]
    rows[1].key = rows[500].key = "00" * 8
    write(tmp_path, "train", rows, [User(KEY, [("101", 1, "1.0")])])
    with pytest.raises(InputError, match=r"2 of the rows .* do not belong together"):
        frame_of(ALICCP.load(tmp_path).train)


def test_files_of_two_splits_are_told_apart_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aliccp_raw, "EARLY_ROWS", 1000)
    monkeypatch.setattr(aliccp_blocks, "BLOCK_BYTES", 4096)
    write(tmp_path, "train", *random_log(1))
    write(tmp_path / "other", "train", *random_log(2))
    name = "common_features_train.csv"
    (tmp_path / "other" / name).replace(tmp_path / name)
    with pytest.raises(InputError, match="do not belong together"):
        next(ALICCP.load(tmp_path).train.frames(["101"]))


def test_broken_common_file_leaves_no_temporary_files(tmp_path: Path) -> None:
    write(tmp_path / "log", "train", *random_log(2))
    with (tmp_path / "log" / "common_features_train.csv").open("a") as file:
        file.write("nonsense\n")
    temp = tmp_path / "temp"
    source = ALICCP.load(tmp_path / "log", {"preset": "all", "temp": str(temp)}).train
    with pytest.raises(InputError, match="line 13: expected 3 columns"):
        frame_of(source)
    gc.collect()
    assert list(temp.iterdir()) == []


def test_temp_that_cannot_be_written(tmp_path: Path) -> None:
    write(tmp_path / "log", "train", *random_log(2))
    (tmp_path / "file").write_text("x")
    source = ALICCP.load(
        tmp_path / "log", {"preset": "all", "temp": str(tmp_path / "file" / "x")}
    ).train
    with pytest.raises(InputError, match="set the option 'temp'"):
        frame_of(source)


GOOD = "5,0,0,84dceed2e3a667f8,1,301\x021\x031.0"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the line is empty"),
        ("5,0,0,84dceed2e3a667f8,1", "expected 6 columns separated by commas, found 5"),
        (GOOD + ",7", "found 7"),
        (GOOD.replace("5,0", "x,0", 1), "sample_id 'x'"),
        (GOOD.replace("5,0", "5,2", 1), "click is '2', expected 0 or 1"),
        (GOOD.replace("0,8", "10,8"), "purchase is '10'"),
        (GOOD.replace("84d", "8g4"), "common_feature_index '8g4ceed2e3a667f8' is not 16"),
        (GOOD.replace("84d", "8"), "common_feature_index"),
        (GOOD.replace("\x02", ""), r"feature '3011\\x031.0' is not"),
        (GOOD.replace("\x03", ""), "is not 'field"),
        (GOOD + "\x01", "feature '' is not"),
        (GOOD.replace("301", "999"), "field '999' is not known"),
        (GOOD.replace("301", "101"), "field '101' belongs into the common file"),
        (GOOD.replace("301", "30"), "field '30' is not known"),
        (GOOD.replace("301", "109_15"), "field '109_15' is not known"),
        (GOOD.replace("\x021", "\x02x"), "feature_id 'x' of field 301"),
        (GOOD.replace("\x021", "\x02"), "feature_id '' of field 301"),
        (GOOD.replace("\x021", "\x02-1"), "feature_id '-1'"),
        (GOOD.replace("\x021", "\x022147483648"), "feature_id '2147483648'"),
        (GOOD.replace("301\x021\x031.0", "508\x021\x03one"), "value 'one' of field 508"),
        (GOOD.replace("301\x021\x031.0", "508\x021\x03"), "value '' of field 508"),
        (GOOD.replace("301\x021\x031.0", "508\x021\x03nan"), "value 'nan' of field 508"),
    ],
)
def test_malformed_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    write(tmp_path, "train", *random_log(4))
    path = tmp_path / "sample_skeleton_train.csv"
    lines = path.read_text().split("\n")
    lines.insert(17, line)
    path.write_text("\n".join(lines))
    source = ALICCP.load(tmp_path, {"preset": "all"}).train
    with pytest.raises(InputError, match=f"skeleton_train.csv, line 18: .*{message}"):
        frame_of(source)


def test_line_numbers_count_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliccp_blocks, "BLOCK_BYTES", 1500)
    write(tmp_path, "train", *random_log(4))
    path = tmp_path / "common_features_train.csv"
    lines = path.read_text().split("\n")
    lines[9] = lines[9].replace("_14\x02", "_14\x02y", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"common_features_train\.csv, line 10: feature_id 'y"):
        frame_of(ALICCP.load(tmp_path, {"preset": "all"}).train)


@pytest.mark.parametrize("cut", [5, 30, 60])
def test_file_that_breaks_off(tmp_path: Path, cut: int) -> None:
    rows, users = random_log(6)
    write(tmp_path, "train", rows, users)
    path = tmp_path / "sample_skeleton_train.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert frame_of(ALICCP.load(tmp_path, {"drop_unclicked_purchases": False}).train).height == len(
        rows
    )
    path.write_bytes(whole[: -whole[::-1].index(b"\x01") - 1])
    with pytest.raises(InputError, match=rf"line {len(rows)}: the file breaks off"):
        frame_of(ALICCP.load(tmp_path).train)
    path.write_bytes(whole[:-cut])
    with pytest.raises(InputError, match=rf"skeleton_train.csv, line {len(rows)}: "):
        frame_of(ALICCP.load(tmp_path).train)


def test_compressed_file_that_breaks_off(tmp_path: Path) -> None:
    write(tmp_path, "train", *random_log(6), gz=True)
    path = tmp_path / "sample_skeleton_train.csv.gz"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match="cannot be read to its end"):
        frame_of(ALICCP.load(tmp_path).train)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(InputError, match=r"sample_skeleton_train.csv.gz is empty"):
        frame_of(ALICCP.load(tmp_path).train)


def test_empty_common_file(tmp_path: Path) -> None:
    write(tmp_path, "train", random_log(6)[0], [])
    with pytest.raises(InputError, match=r"common_features_train.csv is empty"):
        frame_of(ALICCP.load(tmp_path).train)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds neither sample_skeleton_train\.csv"):
        ALICCP.load(tmp_path)
    write(tmp_path, "train", *random_log(0))
    splits = ALICCP.load(tmp_path)
    assert splits.test is None
    assert any("no test files" in note for note in splits.notes)
    with pytest.raises(InputError, match="is not a folder"):
        ALICCP.load(tmp_path / "sample_skeleton_train.csv")
    (tmp_path / "common_features_test.csv").write_text("")
    with pytest.raises(InputError, match=r"but no sample_skeleton_test\.csv"):
        ALICCP.load(tmp_path)


def test_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data set aliccp: option preset"):
        ALICCP.load(tmp_path, {"preset": "most"})
