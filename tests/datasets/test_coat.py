"""The Coat reader: the published counts, what is hidden from training, and refusals."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postclick.data.read.opening import LogSource
from postclick.datasets.coat import COAT, ITEMS, TRUE_CONVERSION, USERS
from postclick.errors import InputError

MAPS = {
    "user": "gender:men gender:women age:old age:young location:here fashioninterest:very",
    "item": "gender:men gender:women jackettype:rain color:red color:blue onfrontpage:yes",
}
ONE_HOT = {"user": [[1, 0, 1, 0, 1, 1], [0, 1, 0, 1, 1, 1]], "item": [[0, 1, 1, 0, 1, 1]]}


def write_matrix(path: Path, matrix: np.ndarray) -> None:
    np.savetxt(path, matrix, fmt="%d")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder of the published shape with three training and three test ratings."""
    train, test = np.zeros((2, USERS, ITEMS), dtype=int)
    train[0, 0], train[0, 1], train[1, 0] = 5, 3, 4
    test[0, 0], test[2, 7], test[3, 8] = 5, 4, 1
    write_matrix(tmp_path / "train.ascii", train)
    write_matrix(tmp_path / "test.ascii", test)
    features = tmp_path / "user_item_features"
    features.mkdir()
    for kind, count in (("user", USERS), ("item", ITEMS)):
        names = "\n".join(MAPS[kind].split())
        (features / f"{kind}_features_map.txt").write_text(names, encoding="utf-8")
        rows = np.resize(np.array(ONE_HOT[kind]), (count, 6))
        write_matrix(features / f"{kind}_features.ascii", rows)
    return tmp_path


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Path:
    folder = shared_data / "coat"
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist")
    return folder


def whole(log: LogSource | None) -> pl.DataFrame:
    assert log is not None
    return pl.concat(log.frames(log.columns))


def test_published_counts(published: Path) -> None:
    splits = COAT.load(published)
    train, test = whole(splits.train), whole(splits.test)
    clicked = train.filter(pl.col("click") == 1)
    assert (train.height, clicked.height, test.height) == (87_000, 6_960, 4_274)
    assert clicked["conversion"].mean() == pytest.approx(0.274, abs=5e-4)
    assert test[TRUE_CONVERSION].mean() == pytest.approx(0.185, abs=0.01)
    assert train.select("user", "item").is_unique().all()
    # Each user chose 24 coats to rate.
    assert (clicked.group_by("user").len()["len"] == 24).all()
    assert train["item_jackettype"].n_unique() == 16
    assert train["user_age"].n_unique() == 6
    assert any("366" in note for note in splits.notes)


def test_published_random_ratings_before_dropping(published: Path) -> None:
    ratings = {name: np.loadtxt(published / f"{name}.ascii") for name in ("train", "test")}
    drawn = ratings["test"][ratings["test"] > 0]
    assert drawn.size == 4_640
    assert np.mean(drawn >= 4) == pytest.approx(0.185, abs=5e-4)
    both = (ratings["test"] > 0) & (ratings["train"] > 0)
    assert (ratings["test"][both] == ratings["train"][both]).all()


def test_labels_and_truth(small: Path) -> None:
    splits = COAT.load(small)
    train, test = whole(splits.train), whole(splits.test)
    labelled = train.filter(pl.col("click") == 1).select("user", "item", "conversion")
    assert labelled.rows() == [(0, 0, 1), (0, 1, 0), (1, 0, 1)]
    assert train.filter(pl.col("click") == 0)["conversion"].sum() == 0
    # The pair rated in both stays out of the test; the others are unclicked there.
    columns = ["user", "item", "click", "conversion", TRUE_CONVERSION]
    assert test.select(columns).rows() == [(2, 7, 0, 0, 1), (3, 8, 0, 0, 0)]
    assert splits.schema.truth.conversion == TRUE_CONVERSION


def test_training_rows_hold_no_truth(small: Path) -> None:
    train = whole(COAT.load(small).train)
    assert train[TRUE_CONVERSION].null_count() == train.height
    hidden = train.filter((pl.col("user") == 2) & (pl.col("item") == 7))
    assert hidden.select("click", "conversion").rows() == [(0, 0)]


def test_threshold(small: Path) -> None:
    splits = COAT.load(small, {"threshold": 5})
    assert whole(splits.train)["conversion"].sum() == 1
    assert whole(splits.test)[TRUE_CONVERSION].sum() == 0
    for wrong in (0, 6):
        with pytest.raises(InputError, match="threshold"):
            COAT.load(small, {"threshold": wrong})


def test_one_hot_is_decoded_to_names(small: Path) -> None:
    train = whole(COAT.load(small).train)
    people = train.filter(pl.col("item") == 0).sort("user")
    assert people["user_gender"][:2].to_list() == ["men", "women"]
    assert people["user_age"][:2].to_list() == ["old", "young"]
    assert set(train["item_color"]) == {"blue"}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("train.ascii", "5 3", "6 3", r"train\.ascii, line 1: '6' is not a whole number from 0"),
        ("test.ascii", "5 0", "5", r"test\.ascii, line 1: 299 numbers, expected 300"),
        ("test.ascii", "\n", "\n" + "0 " * 300 + "\n", "291 lines, expected 290"),
        ("user_item_features/user_features.ascii", "1 0", "1 1", "line 1: 2 values of 'gender'"),
        ("user_item_features/user_features.ascii", "1 0", "0 0", "line 1: 0 values of 'gender'"),
        ("user_item_features/item_features_map.txt", "color", "hue", "has the groups .*hue"),
    ],
)
def test_damage_is_named(small: Path, file: str, old: str, new: str, message: str) -> None:
    path = small / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        COAT.load(small)


def test_missing_file(small: Path) -> None:
    (small / "test.ascii").unlink()
    with pytest.raises(InputError, match=r"test\.ascii does not exist; coat expects the folder"):
        COAT.load(small)
