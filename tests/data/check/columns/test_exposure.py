"""What `check` finds in an exposure."""

import polars as pl
import pytest

from postclick.data.check.check_log import check_log
from postclick.data.check.findings import Finding
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema

ROWS = 2000
FRAME = pl.DataFrame(
    {
        "click": [row % 2 for row in range(ROWS)],
        "buy": [int(row % 4 == 1) for row in range(ROWS)],
        "shop": [f"s{row % 13}" for row in range(ROWS)],
        "slot": [f"p{row % 7}" for row in range(ROWS)],
    }
)


def found(code: str, features: list[str], frame: pl.DataFrame) -> Finding:
    roles = {"click": "click", "conversion": "buy", "categorical": features, "exposure": "slot"}
    report = check_log(LogSchema.parse(roles), FrameSource(frame))
    return next(one for one in report.findings if one.code == code)


def test_a_varied_exposure_is_no_finding() -> None:
    with pytest.raises(StopIteration):
        found("constant-column", ["shop"], FRAME)
    with pytest.raises(StopIteration):
        found("extra-column", ["shop"], FRAME)


def test_one_that_never_varies() -> None:
    one = found("constant-column", ["shop"], FRAME.with_columns(slot=pl.lit("p1")))
    assert one.message == (
        "train: column 'slot' is 'p1' in all 2,000 rows and teaches nothing: take exposure out of "
        "the schema"
    )


def test_one_that_is_mostly_missing() -> None:
    empty = pl.when(pl.int_range(ROWS) % 50 == 0).then("slot")
    one = found("mostly-missing", ["shop"], FRAME.with_columns(slot=empty))
    assert one.message.endswith("mend the log, or take exposure out of the schema")


def test_one_that_a_feature_repeats() -> None:
    frame = FRAME.with_columns(place="slot")
    one = found("duplicated-column", ["shop", "place"], frame)
    assert one.message == (
        "train: the exposure 'slot' is equal to 'place' in all 2,000 rows, so that pCVR reads it: "
        "put 'place' under ignore"
    )
