"""Values by which rows are cut: told apart from what is no value, dates in their order."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from postclick.data.arrays import RowArrays
from postclick.data.read.values.value_rules import ValueRules
from postclick.judging.entire.feature_sums import LevelSums
from postclick.judging.raw_values import RawCategory
from postclick.judging.segments import SegmentedRows
from postclick.judging.value_names import MISSING, OTHERS, are_dates


class AtOnce(RawCategory):
    """A column whose keys are at hand."""

    def __init__(self, column: pl.Series) -> None:
        super().__init__("at", ValueRules())
        self.of_rows = self.keys(column)

    def read(self, rows: RowArrays, taken: slice) -> Any:
        return self.of_rows[taken]


def names(values: list[str | None], top: int = 20) -> list[str]:
    """The segments of an evaluation by these values, in the order shown."""
    rows = SegmentedRows([AtOnce(pl.Series(values, dtype=pl.String))], top)
    click = np.arange(len(values)) % 2
    logits = np.zeros(len(values))
    columns = {"ctr_logit": logits, "cvr_logit": logits, "click": click, "conversion": click}
    rows.add(None, slice(0, len(values)), columns)  # type: ignore[arg-type]
    return [one.value for one in rows.judged()[0].segments]


def test_dates_of_an_evaluation_are_in_their_order() -> None:
    days = ["2026-01-07", "2026-01-07", "2026-01-07", "2026-01-05", "2026-01-06", "2026-01-06"]
    assert names([*days, None]) == ["2026-01-05", "2026-01-06", "2026-01-07", MISSING]
    assert names(days, top=2) == ["2026-01-06", "2026-01-07", OTHERS]
    assert names([*days, "later"])[0] == "2026-01-07"


def test_text_like_a_missing_value_is_in_quotes() -> None:
    assert names(["(missing)", None, None, "a", "a", "a"]) == ["a", MISSING, '"(missing)"']
    sums = LevelSums(("size",))
    levels = ["(missing)", None, None, "(others)", "b"]
    sums.add(pl.DataFrame({"shop": levels, "size": [1.0] * 5}), "shop")
    found = dict(sums.frame().rows())
    assert found == {'"(missing)"': 1.0, MISSING: 2.0, '"(others)"': 1.0, "b": 1.0}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-01", "2026-02"], True),
        (["2026-01-05", "2026-01-05T10:00:00.5"], True),
        (["2026-01-05", "20260106"], False),
        (["05.01.2026"], False),
        ([], False),
    ],
)
def test_what_is_a_date(values: list[str], expected: bool) -> None:
    assert are_dates(values) is expected
