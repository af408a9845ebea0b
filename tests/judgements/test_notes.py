"""What a judgement says of the log beside its figures: one line each, on both outputs."""

from typing import Any

import polars as pl
import pytest

from helpers.predictions import predictions
from postclick import InputError, judge
from postclick.judgements.page.render import render
from postclick.judgements.terminal import lines, tables
from postclick.judging.predicted.result import JudgedLog

FEW: dict[str, Any] = {"resamples": 40}


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    return predictions(600, seed=4)


def notes(judged: JudgedLog, text: str) -> list[str]:
    """The notes with a text, as the terminal has them; the page has to have them too."""
    found = [one.removeprefix("note: ") for one in lines(judged) if text in one]
    page = " ".join(render(judged).replace("&#39;", "'").replace("&gt;", ">").split())
    assert all(one in page for one in found), found
    return found


def test_weights_say_what_is_counted(log: pl.DataFrame) -> None:
    judged = judge(log, weight="times", by=["shop"], **FEW)
    total = int(log["times"].sum())
    (note,) = notes(judged, "stand for")
    assert note.startswith(f"600 rows stand for {total:,} impressions by 'times': rows, clicks")
    (table,) = (one for one in tables(judged) if "by shop" in str(one.title))
    assert table.caption == "counts are of rows, PCOC is by weight"
    page = render(judged)
    assert "Rows, clicks and conversions are counted as recorded" in page
    assert f"600 rows, which by weight stand for {total:,} impressions and " in page
    assert "conversions by weight" in page
    assert ": 600 rows, " in page
    plain = judge(log, by=["shop"], **FEW)
    assert not plain.weighted
    assert "by weight" not in render(plain)
    assert ": 600 impressions, " in render(plain)


def test_weights_that_are_all_0_are_refused(log: pl.DataFrame) -> None:
    none = log.with_columns(times=pl.lit(0))
    with pytest.raises(InputError) as refused:
        judge(none, weight="times", **FEW)
    assert "all weights ('times') are 0" in str(refused.value)
    assert "name another column with weight, or none" in str(refused.value)
    assert judge(none, **FEW).rows == 600
