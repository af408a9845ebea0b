"""Folders named `column=value` are columns."""

from pathlib import Path

import polars as pl
import pytest

from postclick.data.read.opening import LogSource, open_log
from postclick.data.read.places.partitions import partition_of
from postclick.errors import InputError


def put(folder: Path, name: str, frame: pl.DataFrame) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_csv(path) if name.endswith(".csv") else frame.write_parquet(path)


def read(source: LogSource, *columns: str) -> pl.DataFrame:
    return pl.concat(list(source.frames(columns or source.columns)))


def clicks(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"click": values})


@pytest.mark.parametrize("end", ["parquet", "csv"])
def test_folders_give_columns_in_the_order_of_paths(tmp_path: Path, end: str) -> None:
    put(tmp_path, f"dt=2026-01-02/hour=03/part-0.{end}", clicks(4))
    put(tmp_path, f"dt=2026-01-01/hour=11/part-1.{end}", clicks(3))
    put(tmp_path, f"dt=2026-01-01/hour=11/part-0.{end}", clicks(1, 2))
    put(tmp_path, f"dt=2026-01-01/hour=11/_part-9.{end}", clicks(9))
    put(tmp_path, f"_dt=2026-01-01/hour=11/part-9.{end}", clicks(9))
    log = open_log(tmp_path)
    assert log.columns == ("click", "dt", "hour")
    found = read(log)
    assert found["click"].cast(pl.Int64).to_list() == [1, 2, 3, 4]
    assert found["dt"].to_list() == ["2026-01-01"] * 3 + ["2026-01-02"]
    assert found["hour"].to_list() == ["11", "11", "11", "03"]
    assert read(log, "hour", "click").columns == ["hour", "click"]
    assert read(log, "dt").height == 4, "rows are there also where only folders are asked for"


def test_names_are_decoded_and_may_be_missing(tmp_path: Path) -> None:
    put(tmp_path, "shop=a%2Fb%3D/x.parquet", clicks(1))
    put(tmp_path, "shop=__HIVE_DEFAULT_PARTITION__/x.parquet", clicks(2))
    assert read(open_log(tmp_path), "shop")["shop"].to_list() == [None, "a/b="]


def test_a_folder_alone_has_the_columns_that_its_name_says(tmp_path: Path) -> None:
    """So that `--train` and `--test` may be days of one table."""
    put(tmp_path, "dt=2026-01-01/x.parquet", clicks(1))
    put(tmp_path, "dt=2026-01-02/x.parquet", clicks(2))
    for name in ("dt=2026-01-02", "dt=2026-01-02/x.parquet", "dt=*-02", "dt=*-02/*.parquet"):
        assert read(open_log(str(tmp_path / name))).rows() == [(2, "2026-01-02")]


def test_a_column_of_the_file_may_say_the_same(tmp_path: Path) -> None:
    put(tmp_path, "hour=03/x.parquet", pl.DataFrame({"click": [1, 0], "hour": [3, 3]}))
    assert read(open_log(tmp_path))["hour"].to_list() == ["03", "03"]
    put(tmp_path, "hour=04/x.parquet", pl.DataFrame({"click": [1, 0], "hour": [4, 5]}))
    with pytest.raises(InputError, match=r"holds 5 where the folder's name says '04': mend"):
        read(open_log(tmp_path))
    assert read(open_log(tmp_path), "click").height == 4, "not looked at where it is not needed"


def test_a_missing_partition_meets_a_missing_value(tmp_path: Path) -> None:
    frame = pl.DataFrame({"click": [1], "dt": pl.Series([None], dtype=pl.String)})
    put(tmp_path, "dt=__HIVE_DEFAULT_PARTITION__/x.parquet", frame)
    assert read(open_log(tmp_path), "dt")["dt"].to_list() == [None]


def test_other_folders_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "dt=1/x.csv", clicks(1))
    put(tmp_path, "dt=1/hour=2/x.csv", clicks(1))
    with pytest.raises(InputError, match=r"in folders of 'dt', 'hour' and .* in folders of 'dt'"):
        open_log(tmp_path)
    with pytest.raises(InputError, match="column 'dt' stands in the names of two folders"):
        partition_of(["dt=1", "dt=2"], "log")


def test_state_knows_the_folders(tmp_path: Path) -> None:
    put(tmp_path, "dt=1/x.csv", clicks(1))
    before = open_log(tmp_path).state()
    assert before == open_log(tmp_path).state()
    (tmp_path / "dt=1").rename(tmp_path / "dt=2")
    assert open_log(tmp_path).state() != before
