"""The Hillstrom reader: the published funnel, the split by arms, and refusals."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from postclick.data.read.opening import LogSource
from postclick.data.splits import LogSplits
from postclick.datasets.hillstrom import HILLSTROM, SHA256
from postclick.errors import InputError

HEADER = (
    "recency,history_segment,history,mens,womens,zip_code,newbie,channel,segment,"
    "visit,conversion,spend"
)
ROWS = (
    "1,1) $0 - $100,29.99,1,0,Urban,0,Web,No E-Mail,0,0,0",
    "12,2) $100 - $200,142.44,0,1,Rural,1,Phone,Mens E-Mail,1,1,29.99",
    "7,2) $100 - $200,150.01,0,1,Rural,1,Web,Mens E-Mail,1,0,0",
)
NONE, MENS, WOMENS = "No E-Mail", "Mens E-Mail", "Womens E-Mail"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "hillstrom.csv"
    path.write_text("\n".join((HEADER, *ROWS)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Path:
    folder = shared_data / "hillstrom"
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist")
    return folder


def funnel(log: LogSource | None) -> tuple[int, int, int]:
    assert log is not None
    frame = pl.concat(log.frames(["visit", "conversion"])).cast(pl.Int64)
    bought = frame.filter(pl.col("conversion") == 1)
    assert (bought["visit"] == 1).all()
    return frame.height, int(frame["visit"].sum()), bought.height


def features(splits: LogSplits) -> set[str]:
    return set(splits.schema.feature_names)


def test_published_funnel(published: Path) -> None:
    splits = HILLSTROM.load(published)
    assert funnel(splits.train) == (64_000, 9_394, 578)
    assert splits.test is None
    assert "segment" in features(splits)
    assert "spend" not in splits.schema.columns
    assert HILLSTROM.load(published / "hillstrom.csv").schema == splits.schema


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        (NONE, (21_306, 2_262, 122)),
        (WOMENS, (21_387, 3_238, 189)),
        (MENS, (21_307, 3_894, 267)),
    ],
)
def test_published_arms(published: Path, arm: str, expected: tuple[int, int, int]) -> None:
    other = NONE if arm != NONE else MENS
    splits = HILLSTROM.load(published, {"train_arms": [other], "test_arms": [arm]})
    assert funnel(splits.test) == expected
    assert "segment" not in features(splits)


def test_another_file_is_refused_unless_told(small: Path) -> None:
    with pytest.raises(InputError, match=f"expected sha256 {SHA256}, found .*verify=false"):
        HILLSTROM.load(small)
    assert funnel(HILLSTROM.load(small, {"verify": False}).train) == (3, 2, 1)


def test_split_by_arms(small: Path) -> None:
    splits = HILLSTROM.load(small, {"verify": False, "train_arms": MENS, "test_arms": NONE})
    assert funnel(splits.train) == (2, 2, 1)
    assert funnel(splits.test) == (1, 0, 0)
    assert any("segment is not a feature" in note for note in splits.notes)
    splits.train.require(splits.schema.columns)


def test_segment_is_kept_with_several_training_arms_and_a_random_test(small: Path) -> None:
    splits = HILLSTROM.load(small, {"verify": False, "train_arms": [MENS, NONE]})
    assert splits.test is None
    assert "segment" in features(splits)
    hidden = HILLSTROM.load(small, {"verify": False, "segment_as_feature": False})
    assert "segment" not in features(hidden)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_arms": [MENS]}, "without train_arms"),
        ({"train_arms": [MENS, NONE], "test_arms": [MENS]}, "'Mens E-Mail' is in train_arms and"),
        ({"train_arms": ["men"]}, "train_arms.*No E-Mail"),
        ({"train_arms": [MENS], "segment_as_feature": True}, "segment_as_feature=false"),
        ({"arms": [MENS]}, "not a known setting"),
        ({"verify": False, "train_arms": [WOMENS]}, "no row has segment Womens E-Mail"),
    ],
)
def test_wrong_options(small: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HILLSTROM.load(small, options)


def test_wrong_paths(tmp_path: Path, small: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        HILLSTROM.load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no hillstrom\.csv"):
        HILLSTROM.load(tmp_path / "empty")
    small.write_text("visit,conversion\n0,0\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column .*'segment'"):
        HILLSTROM.load(small, {"verify": False})
