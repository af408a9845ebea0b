"""What is no log by itself: a pipe, and the folder of a partition of a table."""

import os
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from postclick.data.read.opening import open_log
from postclick.errors import InputError


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_refused_before_it_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="is a pipe or a device"):
        open_log(tmp_path / "pipe.csv")


@pytest.mark.skipif(find_spec("deltalake") is None, reason="deltalake is not installed")
@pytest.mark.parametrize("place", ["table/dt=1", "table/dt=*", "table/*"])
def test_a_partition_of_a_table_is_not_its_files(tmp_path: Path, place: str) -> None:
    import deltalake

    frame = pl.DataFrame({"click": [0, 1, 0, 1], "dt": [1, 1, 2, 2]})
    deltalake.write_deltalake(str(tmp_path / "table"), frame, partition_by=["dt"])
    deltalake.DeltaTable(str(tmp_path / "table")).delete("click = 1")
    with pytest.raises(InputError, match="is a file of the Delta table .*: name the table itself"):
        open_log(tmp_path / place)
    assert sum(f.height for f in open_log(tmp_path / "table").frames(["click"])) == 2
