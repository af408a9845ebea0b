"""AliExpress in both layouts, on generated files and against a plain join."""

import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postclick.data.read.opening import LogSource
from postclick.datasets.aliexpress import ALIEXPRESS
from postclick.datasets.aliexpress import raw as aliexpress_raw
from postclick.datasets.aliexpress.columns import CATEGORICAL, COLUMNS, NUMERICAL
from postclick.errors import InputError

from .aliexpress_files import header, random_raw, slow_join, write_preprocessed, write_raw


def frame_of(source: LogSource | None, columns: list[str] | None = None) -> pl.DataFrame:
    assert source is not None
    return pl.concat(source.frames(columns or source.columns))


def matched(seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Raw rows in which every product has its page."""
    users, items = random_raw(seed)
    known = {row[0] for row in users}
    return users, [row for row in items if row[0] in known]


def test_columns_are_the_82_of_the_papers() -> None:
    assert tuple(header()) == COLUMNS
    assert (len(CATEGORICAL), len(NUMERICAL), len(COLUMNS)) == (16, 63, 82)
    assert CATEGORICAL["categorical_10"] == ("item", 19)
    assert (NUMERICAL["numerical_23"], NUMERICAL["numerical_24"]) == (("user", 31), ("item", 2))
    assert NUMERICAL["numerical_63"] == ("item", 48)
    users = {n for t, n in (*CATEGORICAL.values(), *NUMERICAL.values()) if t == "user"}
    items = {n for t, n in (*CATEGORICAL.values(), *NUMERICAL.values()) if t == "item"}
    assert users == set(range(2, 34))
    assert items == set(range(2, 49))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("suffix", ["", ".csv", ".gz", ".csv.gz"])
def test_raw_equals_a_plain_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, suffix: str
) -> None:
    monkeypatch.setattr(aliexpress_raw, "BLOCK_BYTES", 4096)
    for split in ("train", "test"):
        users, items = random_raw(seed + 10 * (split == "test"))
        write_raw(tmp_path, "NL", split, users, items, suffix)
        splits = ALIEXPRESS.load(tmp_path)
        source = splits.train if split == "train" else splits.test
        with pytest.warns(UserWarning, match="rows are left out"):
            frame = frame_of(source)
        expected = np.array(slow_join(users, items))
        assert 0 < len(expected) < len(items)
        np.testing.assert_allclose(frame.to_numpy(), expected, rtol=1e-6)
        ids = [*CATEGORICAL, "search_id", "click", "conversion"]
        assert all(frame[name].dtype.is_integer() for name in ids)
        assert all(frame[name].dtype == pl.Float32 for name in NUMERICAL)


def test_layouts_agree(tmp_path: Path) -> None:
    users, items = matched(4)
    write_raw(tmp_path / "raw", "ES", "train", users, items)
    write_preprocessed(tmp_path / "AliExpress_ES", "train", slow_join(users, items))
    raw = ALIEXPRESS.load(tmp_path, {"layout": "raw"})
    preprocessed = ALIEXPRESS.load(tmp_path, {"layout": "preprocessed"})
    assert raw.schema == preprocessed.schema
    whole = frame_of(preprocessed.train)
    joined = frame_of(raw.train)
    assert joined.equals(whole.cast(joined.schema))
    assert "ES, raw layout" in raw.notes
    assert any("no test file" in note for note in raw.notes)


def test_some_columns_and_every_pass_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliexpress_raw, "BLOCK_BYTES", 2048)
    write_raw(tmp_path, "fr", "train", *matched(5))
    source = ALIEXPRESS.load(tmp_path, {"country": "FR"}).train
    whole = frame_of(source)
    for columns in (
        ["click"],
        ["numerical_63", "search_id"],
        ["conversion", "categorical_1", "numerical_1"],
        ["categorical_16"],
    ):
        assert frame_of(source, columns).equals(whole.select(columns))
    heights = [f.height for f in source.frames(["click"])]
    assert len(heights) > 3
    assert heights == [f.height for f in source.frames(["click"])]


def test_published_sample_is_read(tmp_path: Path, shared_data: Path) -> None:
    samples = shared_data / "samples"
    if not samples.is_dir():
        pytest.skip(f"{samples} does not exist")
    folder = tmp_path / "AliExpress_NL"
    folder.mkdir()
    for split in ("train", "test"):
        published = samples / f"aliexpress_{split}_sample.csv"
        (folder / f"{split}.csv").write_bytes(published.read_bytes())
    splits = ALIEXPRESS.load(folder)
    assert splits.train.columns == COLUMNS
    assert splits.test is not None
    train, test = frame_of(splits.train), frame_of(splits.test)
    assert (train.height, test.height) == (100, 20)
    for frame in (train, test):
        ids = frame.select("search_id", *CATEGORICAL, "click", "conversion").cast(pl.Int64)
        assert ids.null_count().sum_horizontal().item() == 0
        numbers = frame.select(*NUMERICAL).cast(pl.Float64)
        assert numbers.to_numpy().min() >= 0.0
        assert (ids["conversion"] <= ids["click"]).all()
    # What is said to come from the result page is the same for all products of a page.
    of_page = [n for n, place in (*CATEGORICAL.items(), *NUMERICAL.items()) if place[0] == "user"]
    assert len(of_page) == 32
    for frame in (train, test):
        pages = frame.group_by("search_id").agg(pl.col(COLUMNS[1:-2]).n_unique())
        assert 1 < pages.height < frame.height
        assert pages.select(of_page).to_numpy().max() == 1
    varying = [
        n for n in NUMERICAL if train.group_by("search_id").agg(pl.col(n).n_unique())[n].max() != 1
    ]
    assert set(varying) == set(NUMERICAL) - set(of_page) - {f"numerical_{i}" for i in (58, 59, 60)}


def test_raw_keeps_the_types_of_the_published_sample(tmp_path: Path, shared_data: Path) -> None:
    """Take the sample apart into raw files, join them again: nothing may change."""
    path = shared_data / "samples" / "aliexpress_train_sample.csv"
    if not path.is_file():
        pytest.skip(f"{path} does not exist")
    cells = [line.split(",") for line in path.read_text().split()[1:]]
    users, items = [], []
    for search, row in enumerate(cells):
        ids, numbers, (click, conversion) = row[1:17], row[17:80], row[80:]
        users.append([str(search), *ids[:7], *numbers[:23], *ids[7:9]])
        item = dict(zip((19, 34, 35, 36, 40, 41, 42), ids[9:], strict=True))
        rest = iter(numbers[23:])
        label = str(int(click) + int(conversion))
        items.append([str(search), *(item.get(c) or next(rest) for c in range(2, 49)), label])
    write_raw(tmp_path, "NL", "train", users, items)
    joined = frame_of(ALIEXPRESS.load(tmp_path).train)
    expected = np.array([[float(c) for c in row[1:]] for row in cells])
    np.testing.assert_allclose(joined.drop("search_id").to_numpy(), expected, rtol=1e-6)


def test_empty_feature_cells_are_null(tmp_path: Path) -> None:
    users, items = matched(6)
    items[0][20 - 1] = ""
    items[0][19 - 1] = "NULL"
    write_raw(tmp_path, "NL", "train", users, items)
    frame = frame_of(ALIEXPRESS.load(tmp_path).train)
    number = next(n for n, place in NUMERICAL.items() if place == ("item", 20))
    assert frame[number][0] is None
    assert frame["categorical_10"][0] is None
    assert frame.null_count().sum_horizontal().item() == 2


@pytest.mark.parametrize(
    ("table", "column", "cell", "message"),
    [
        ("item", 49, "3", "column 49 is '3', expected 0 shown, 1 clicked or 2 bought"),
        ("item", 49, "", "column 49 is ''"),
        ("item", 1, "", "column 1 is '', expected a search id"),
        ("item", 1, "x", "column 1 is 'x'"),
        ("item", 19, "3.5", "column 19 is '3.5', expected a whole number"),
        ("item", 7, "high", "column 7 is 'high', expected a number"),
        ("item", 48, "1,2", "expected the 49 columns of the item file, found 50"),
        ("user", 33, "99999999999", "column 33 is '99999999999'"),
        ("user", 9, "?", r"column 9 is '\?', expected a number"),
        ("user", 1, "1.5", "column 1 is '1.5'"),
    ],
)
def test_malformed_line_is_named(
    tmp_path: Path, table: str, column: int, cell: str, message: str
) -> None:
    users, items = matched(7)
    rows = users if table == "user" else items
    rows[12][column - 1] = cell
    write_raw(tmp_path, "NL", "train", users, items)
    with pytest.raises(InputError, match=f"NL_{table}_train, line 13: {message}"):
        frame_of(ALIEXPRESS.load(tmp_path).train)


def test_search_id_that_stands_twice(tmp_path: Path) -> None:
    users, items = matched(8)
    write_raw(tmp_path, "NL", "train", [*users, users[3]], items)
    with pytest.raises(InputError, match=f"search id {users[3][0]} stands in more than one row"):
        frame_of(ALIEXPRESS.load(tmp_path).train)


def test_pair_that_does_not_belong_together(tmp_path: Path) -> None:
    users, items = matched(9)
    write_raw(tmp_path, "NL", "train", [[f"9{row[0]}00", *row[1:]] for row in users], items)
    with pytest.raises(InputError, match="do not belong together"):
        frame_of(ALIEXPRESS.load(tmp_path).train)


@pytest.mark.parametrize("table", ["user", "item"])
def test_empty_and_cut_files(tmp_path: Path, table: str) -> None:
    write_raw(tmp_path, "NL", "train", *matched(10))
    path = tmp_path / f"NL_{table}_train"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    last = whole.count(b"\n")
    with pytest.raises(InputError, match=f"NL_{table}_train, line {last}: expected the"):
        frame_of(ALIEXPRESS.load(tmp_path).train)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=f"NL_{table}_train is empty"):
        frame_of(ALIEXPRESS.load(tmp_path).train)


def test_cut_compressed_file(tmp_path: Path) -> None:
    write_raw(tmp_path, "NL", "train", *matched(11), suffix=".gz")
    path = tmp_path / "NL_item_train.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"NL_item_train.gz"):
        frame_of(ALIEXPRESS.load(tmp_path).train)


def test_several_countries_need_a_choice(tmp_path: Path) -> None:
    for seed, country in enumerate(("NL", "US")):
        folder = tmp_path / f"AliExpress_{country}"
        write_preprocessed(folder, "train", slow_join(*matched(seed)))
        write_preprocessed(folder, "test", slow_join(*matched(seed + 5)))
    with pytest.raises(InputError, match=r"several logs: NL .*, US .*: choose"):
        ALIEXPRESS.load(tmp_path)
    with pytest.raises(InputError, match="none of which fits"):
        ALIEXPRESS.load(tmp_path, {"country": "FR"})
    with pytest.raises(InputError, match="option country"):
        ALIEXPRESS.load(tmp_path, {"country": "DE"})
    chosen = ALIEXPRESS.load(tmp_path, {"country": "US"})
    assert frame_of(chosen.train).height == len(slow_join(*matched(1)))
    assert chosen.test is not None
    assert frame_of(chosen.test).height == len(slow_join(*matched(6)))
    assert ALIEXPRESS.load(tmp_path / "AliExpress_NL").notes == ("NL, preprocessed layout",)


def test_raw_countries_in_one_folder(tmp_path: Path) -> None:
    write_raw(tmp_path, "NL", "train", *matched(0))
    write_raw(tmp_path, "RU", "train", *matched(1))
    ru = ALIEXPRESS.load(tmp_path, {"country": "RU"}).train
    assert frame_of(ru, ["click"]).height == len(matched(1)[1])
    (tmp_path / "NL_user_train").unlink()
    with pytest.raises(InputError, match="lacks NL_user_train"):
        ALIEXPRESS.load(tmp_path, {"country": "NL"})


def test_zip_archives_have_to_be_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "aliexpress_NL_datasets.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("NL_user_train", "1,2\n")
    for source in (archive, tmp_path):
        with pytest.raises(InputError, match=r"unpack it \('unzip aliexpress_NL_datasets.zip"):
            ALIEXPRESS.load(source)


def test_paths_without_the_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no log; aliexpress expects a folder"):
        ALIEXPRESS.load(tmp_path)
    (tmp_path / "train.csv").write_text("click,conversion\n0,0\n")
    with pytest.raises(InputError, match=r"lacks 'search_id' \(it has 2\)"):
        ALIEXPRESS.load(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        ALIEXPRESS.load(tmp_path / "train.csv")
