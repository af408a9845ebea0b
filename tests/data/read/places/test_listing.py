"""Globs, literal names, tables that hide among files."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from helpers.object_store import ObjectStore
from postclick.data.read.opening import open_log
from postclick.data.read.places.listing import found_at
from postclick.errors import InputError

NAMES = (
    *("logs/2026-01/part-0.csv", "logs/2026-01/part-1.csv", "logs/2026-02/part-0.csv"),
    *("logs/2026-02/_SUCCESS", "logs/2026-02/.part-0.csv.crc", "logs/2026-02/deep/part-5.csv"),
    *("logs/_old/part-0.csv", "logs/2025-12/part-0.csv"),
)
PATTERNS = {
    "logs/2026-*/part-*.csv": ["2026-01/part-0", "2026-01/part-1", "2026-02/part-0"],
    "logs/2026-0[2-9]/part-?.csv": ["2026-02/part-0"],
    "logs/**/part-0.csv": ["2025-12/part-0", "2026-01/part-0", "2026-02/part-0"],
    "logs/2026-02/**/*.csv": ["2026-02/deep/part-5", "2026-02/part-0"],
    "logs/_*/*.csv": ["_old/part-0"],
    "logs/2026-02/*": ["2026-02/deep", "2026-02/part-0"],
}
Root = Callable[[], str]


@pytest.fixture(params=["local", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the files are, as a path or a URL."""
    for name in NAMES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"click,name\n1,{name}\n")
    if request.param == "local":
        return str(tmp_path)
    store: ObjectStore = request.getfixturevalue("store")
    return store.put("listing", tmp_path)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_globs(root: str, pattern: str) -> None:
    found = [str(place).removeprefix(f"{root}/logs/") for place in found_at(f"{root}/{pattern}")]
    assert [name.removesuffix(".csv") for name in found] == PATTERNS[pattern]


def test_what_a_glob_finds_is_read_in_order_and_once(root: str) -> None:
    log = open_log(f"{root}/logs/**")
    names = pl.concat(list(log.frames(["name"])))["name"].to_list()
    assert names == sorted(name for name in NAMES if "_" not in name and ".crc" not in name)


def test_nothing_found_is_one_line(root: str) -> None:
    with pytest.raises(InputError, match=r"nothing matches .*2027-\*/x.csv: check the pattern"):
        open_log(f"{root}/logs/2027-*/x.csv")
    with pytest.raises(InputError, match="does not exist: check the"):
        open_log(f"{root}/logs/none.csv")


def test_a_literal_name_is_no_glob(tmp_path: Path) -> None:
    (tmp_path / "log[1].csv").write_text("click\n1\n")
    (tmp_path / "log1.csv").write_text("click\n2\n")
    log = open_log(tmp_path / "log[1].csv")
    assert pl.concat(list(log.frames(["click"])))["click"].cast(pl.Int64).to_list() == [1]
    assert [place.name for place in found_at(tmp_path / "log[12].csv")] == ["log1.csv"]


@pytest.mark.parametrize(
    ("mark", "kind"),
    [("t/_delta_log/00.json", "Delta"), ("t/metadata/v1.metadata.json", "Iceberg")],
)
def test_files_of_a_table_are_not_the_table(tmp_path: Path, mark: str, kind: str) -> None:
    (tmp_path / mark).parent.mkdir(parents=True)
    (tmp_path / mark).write_text("{}")
    data = tmp_path / "t" / "data" / "dt=1" / "hour=2"
    data.mkdir(parents=True)
    pl.DataFrame({"click": [1]}).write_parquet(data / "x.parquet")
    where = rf"the {kind} table .*/t"
    with pytest.raises(InputError, match=f"holds {where}: name the table itself"):
        open_log(tmp_path)
    for name in ("t/data/dt=1/hour=2/x.parquet", "t/*/*/*/x.parquet"):
        with pytest.raises(InputError, match=f"is a file of {where}, perhaps one"):
            open_log(tmp_path / name)


@pytest.mark.parametrize("end", [".csv", "*.csv", "/*/b.csv"])
def test_a_name_that_is_too_long(end: str, tmp_path: Path) -> None:
    for name in ("x" * 5000 + end, f"{tmp_path}/*/{'x' * 5000}", f"{tmp_path}/{'x' * 5000}::t"):
        with pytest.raises(InputError) as caught:
            open_log(name)
        assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)
