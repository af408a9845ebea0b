"""Models that `judge` refuses: columns, folders and names that cannot be."""

from pathlib import Path

import polars as pl
import pytest

from helpers.refusals import FEW, Case, assert_refused_and_mended, one_model, same
from postclick import InputError, judge

CASES: dict[str, Case] = {
    "no predictions": (
        lambda log: log.rename({"pctr": "score", "pcvr": "rate"}),
        {},
        ["no column holds predictions", "NAME=pctr:COLUMN,pcvr:COLUMN"],
        same,
        {"models": ["mine=pctr:score,pcvr:rate"]},
    ),
    "two columns of one kind": (
        lambda log: log.with_columns(PCVR=pl.col("pcvr")),
        {},
        ["'pcvr' and 'PCVR' are both pcvr of the model 'model'", "model=pcvr:PCVR"],
        same,
        {"models": ["model=pcvr:PCVR"]},
    ),
    "a model column that is not there": (
        same,
        {"models": ["a=pcvr:pcvr_x"]},
        ["model 'a': no column 'pcvr_x'"],
        same,
        {"models": ["a=pcvr:pcvr"]},
    ),
    "two models of one name": (
        same,
        {"models": ["a=pcvr:pcvr", "a=pctr:pctr"]},
        ["two models are called 'a'"],
        same,
        {"models": ["a=pcvr:pcvr", "b=pctr:pctr"]},
    ),
    "a model without a name": (
        same, {"models": [""]}, ["names no model", "NAME=FOLDER"], same, {"models": None},
    ),
    "a column without what it predicts": (
        lambda log: log.rename({"pcvr": "tf_score"}),
        {"models": ["tf=tf_score"]},
        ["'tf_score' is a column of the log", "say model tf=pcvr:tf_score"],
        same,
        {"models": ["tf=pcvr:tf_score"]},
    ),
    "columns without what they predict": (
        lambda log: log.rename({"pcvr": "of_clicks", "pctr": "tf_ctr"}),
        {"models": {"tf": "of_clicks, tf_ctr"}},
        ["are columns of the log", "say model tf=pcvr:of_clicks,pctr:tf_ctr"],
        same,
        {"models": ["tf=pcvr:of_clicks,pctr:tf_ctr"]},
    ),
    "a column as a model": (
        same,
        {"models": ["pctr"]},
        ["'pctr' is a column of the log", "say model NAME=pctr:pctr"],
        same,
        {"models": ["NAME=pctr:pctr"]},
    ),
    "a model without a folder": (
        same, {"models": ["a="]}, ["'a=' names no model"], same, {"models": ["a=pcvr:pcvr"]},
    ),
    "a folder that is no model": (
        same,
        {"models": ["a=nowhere"]},
        ["nowhere is neither a run nor a bundle"],
        same,
        {"models": ["a=pcvr:pcvr"]},
    ),
    "an unknown kind": (
        same,
        {"models": {"a": {"cvr": "pcvr"}}},
        ["model 'a' has 'cvr'", "pctr, pcvr, pctcvr"],
        same,
        {"models": {"a": {"pcvr": "pcvr"}}},
    ),
    "an unknown reference": (
        same, {"against": "modell"}, ["no model 'modell'", "'model'"], same, {"against": "model"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_message_says_what_and_where_and_its_mend_works(case: str) -> None:
    assert_refused_and_mended(CASES[case])


def test_a_model_is_called_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"\. is neither a run nor a bundle"):
        judge(one_model(), models=["."], **FEW)
