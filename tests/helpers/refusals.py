"""What `judge` refuses, and that its mend works when it is followed."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from helpers.predictions import predictions
from postclick import InputError, judge

Change = Callable[[pl.DataFrame], pl.DataFrame]
# What is wrong, options, what the message has to say, and what mends it: the log, or options.
Case = tuple[Change, dict[str, Any], list[str], Change, dict[str, Any]]
FEW: Any = {"resamples": 40}


def one_model(rows: int = 80) -> pl.DataFrame:
    log = predictions(rows, seed=1)
    return log.drop("pctr_b", "pcvr_b").rename({"pctr_a": "pctr", "pcvr_a": "pcvr"})


def at(row: int, column: str, value: Any) -> Change:
    """Put a value into one row, counted from 1."""

    def changed(log: pl.DataFrame) -> pl.DataFrame:
        values = log[column].to_list()
        values[row - 1] = value
        return log.with_columns(pl.Series(column, values, strict=False))

    return changed


def same(log: pl.DataFrame) -> pl.DataFrame:
    return log


def assert_refused_and_mended(case: Case) -> None:
    """The message is one line and says what it has to; with its mend there is a judgement."""
    change, options, told, mend, better = case
    log = change(one_model())
    with pytest.raises(InputError) as caught:
        judge(log, **{**FEW, **options})
    message = str(caught.value)
    assert "\n" not in message
    for part in told:
        assert part in message, message
    judged = judge(mend(log), **{**FEW, **options, **better})
    assert judged.answer is not None
