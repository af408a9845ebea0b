"""The files of MovieLens-100K in each of their forms, and refusals of damaged ones."""

import sys
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from postclick.datasets.movielens import MOVIELENS, files
from postclick.errors import InputError

from .movielens_files import (
    WHEEL_FOLDER,
    Toy,
    both,
    toy,
    write_grouplens,
    write_recbole,
    zipped,
)


@pytest.fixture(scope="module")
def data() -> Toy:
    return toy()


@pytest.fixture
def small(tmp_path: Path, data: Toy) -> Path:
    return write_recbole(tmp_path / "ml-100k", data)


def test_attributes(small: Path) -> None:
    log = both(MOVIELENS.load(small))
    people = log.unique("user").sort("user").head(4)
    assert people["user"].to_list() == [1, 3, 5, 7]
    assert people["age_band"].to_list() == ["under 18", "18-24", "45-54", "55 or older"]
    assert people["occupation"].to_list() == ["student", "other", "writer", "retired"]
    movies = log.unique("item").sort("item").head(4)
    assert movies["release_year"].to_list() == [1995, 1995, None, 1931]
    assert movies["genres"].to_list()[0] == ["Animation", "Children's", "Comedy"]


def test_every_form_of_the_files_gives_the_same_log(
    small: Path, data: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouplens = write_grouplens(tmp_path / "grouplens", data)
    # A package whose code must not run to be found.
    package = tmp_path / "site"
    write_recbole(package / WHEEL_FOLDER, data)
    (package / "recbole" / "__init__.py").write_text("raise RuntimeError\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.chdir(tmp_path)
    expected = both(MOVIELENS.load(small))
    for source in (
        grouplens,
        package,
        package / "recbole",
        zipped(small, tmp_path / "recbole-1.2.1-py3-none-any.whl", WHEEL_FOLDER),
        zipped(grouplens, tmp_path / "ml-100k.zip", "ml-100k"),
        "recbole",
        Path("recbole"),
    ):
        assert_frame_equal(both(MOVIELENS.load(source)), expected)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ml-100k.inter", "rating:float", "stars:float", "no column 'rating', only user_id"),
        ("ml-100k.inter", "\n1\t", "\n1\t1\t", r"inter, line \d+: 5 fields, expected 4"),
        ("ml-100k.inter", "\n1\t", "\nx\t", r"inter, line \d+: user_id 'x' is not a whole number"),
        ("ml-100k.inter", "\n1\t1\t", "\n1\t2\t", "a user rated an item twice"),
        ("ml-100k.inter", "\n1\t1\t", "\n1\t1\t9", r"rating '9\d' is not a .* from 1 to 5"),
        ("ml-100k.user", "\n3\t", "\n2\t", "lacks user 3, which has ratings"),
        ("ml-100k.user", "\n3\t", "\n1\t", "user_id is not unique"),
        ("ml-100k.user", "\n1\t17", "\n1\told", r"user, line 2: age 'old' is not"),
        ("ml-100k.item", "\n50\t", "\n51\t", "lacks item 50"),
    ],
)
def test_damage_is_named(small: Path, file: str, old: str, new: str, message: str) -> None:
    path = small / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        MOVIELENS.load(small)


def test_wrong_sources(
    small: Path, data: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds neither u.data nor ml-100k.inter; movielens exp"):
        MOVIELENS.load(tmp_path / "empty")
    with pytest.raises(InputError, match=r"ml-100k\.inter cannot be read as a zip"):
        MOVIELENS.load(small / "ml-100k.inter")
    wheel = zipped(small, tmp_path / "damaged.whl", WHEEL_FOLDER)
    content = bytearray(wheel.read_bytes())
    content[200:260] = bytes(60)
    wheel.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.whl cannot be read as a zip"):
        MOVIELENS.load(wheel)
    monkeypatch.setitem(sys.modules, "recbole", None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="recbole is not installed here: pip install --no-deps"):
        MOVIELENS.load("recbole")
    (small / "ml-100k.user").unlink()
    with pytest.raises(InputError, match=r"ml-100k\.user does not exist; movielens expects"):
        MOVIELENS.load(small)
    empty = write_grouplens(tmp_path / "grouplens", data)
    (empty / "u.data").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"u\.data holds no rows"):
        MOVIELENS.load(empty)


def test_an_archive_that_unfolds_without_end(small: Path, tmp_path: Path) -> None:
    (small / "ml-100k.inter").write_bytes(b"0" * (files.LARGEST_MEMBER + 1))
    bomb = zipped(small, tmp_path / "bomb.zip", "ml-100k")
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(InputError, match=r"ml-100k\.inter would unpack to 67,108,865 bytes"):
        MOVIELENS.load(bomb)
