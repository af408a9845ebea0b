"""Columns that a format of scores cannot hold are refused in one line; the others are written."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from postclick.errors import InputError
from postclick.serving.score_writer import ScoreWriter

KEPT = {
    "bytes": pl.Series("kept", [b"\xff", b"a"]),
    "lists of bytes": pl.Series("kept", [[b"\xff"], []]),
    "records of bytes": pl.Series("kept", [{"x": b"\xff"}, {"x": b""}]),
    "spans": pl.Series("kept", [timedelta(hours=1), None]),
    "lists": pl.Series("kept", [[1], [2, 3]]),
    "large": pl.Series("kept", [1, 2], dtype=pl.Int128),
    "whole": pl.Series("kept", [1, 2]),
}
REFUSED = {
    **{end: {*KEPT} - {"whole", "large"} for end in (".csv", ".tsv", ".csv.gz")},
    **{end: {what for what in KEPT if "bytes" in what} for end in (".jsonl", ".jsonl.gz")},
    ".parquet": {"large"},
    ".arrow": {"large"},
}


@pytest.mark.parametrize("end", REFUSED)
@pytest.mark.parametrize("what", KEPT)
def test_what_a_format_holds(end: str, what: str) -> None:
    frame = pl.DataFrame([KEPT[what], pl.Series("cvr", [0.5, 0.25])])

    def write(end: str) -> bytes:
        file = BytesIO()
        with ScoreWriter(file, Path(f"scores{end}")) as writer:
            writer.add(frame)
            writer.finish(frame.head(0))
        return file.getvalue()

    if what not in REFUSED[end]:
        assert write(end)
        return
    with pytest.raises(InputError, match="column 'kept' holds .*: keep other") as caught:
        write(end)
    assert "\n" not in str(caught.value)
    for mend in str(caught.value).rpartition("write ")[2].split(" or "):
        assert write(mend)
