"""What a judgement says of the log beside its figures: one line each, on both outputs."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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
    assert f"600 rows, by weight {total:,} impressions and " in page
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


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize(
    ("times", "told"),
    [
        (pl.col("price"), "which is no moment: name another with time"),
        (pl.col("price").cast(pl.Int64) + 200_000_000, "which as an epoch is 1976-05-0"),
        (pl.lit(5_000_000_000), "which as an epoch is 2128-06-11"),
        (pl.when(pl.col("click") == 1).then(1_770_000_000).otherwise(0), "and 0, which is none"),
    ],
)
def test_numbers_that_are_no_times_are_refused(
    log: pl.DataFrame, times: pl.Expr, told: str, text: bool
) -> None:
    at = times.cast(pl.String) if text else times
    with pytest.raises(InputError) as refused:
        judge(log.with_columns(at=at), time="at", **FEW)
    assert str(refused.value).startswith("time column 'at' holds ")
    assert told in str(refused.value)
    # What it offers instead works.
    if "by its values" in str(refused.value):
        assert 'by="at"' in str(refused.value)
        assert judge(log.with_columns(at=times), by="at", top=3, **FEW).segments


def test_times_that_are_odd_are_told(log: pl.DataFrame) -> None:
    recent = log.with_columns(pl.col("day").dt.offset_by("50y"))
    some = pl.when(pl.int_range(pl.len()) < 1).then(pl.lit(0).cast(pl.Datetime("us")))
    judged = judge(recent.with_columns(some.otherwise("day").alias("day")), time="day", **FEW)
    (note,) = notes(judged, "before 1990")
    assert note.startswith("times ('day') before 1990 or after 2100 in 1 row of 600 (all are from ")
    assert "in 600 rows of 600" in notes(judge(log, time="day", **FEW), "before 1990")[0]
    order = judge(log.with_columns(day=pl.int_range(pl.len()) % 31), time="day", **FEW)
    (note,) = notes(order, "epochs")
    assert note.startswith("times ('day') are numbers from 0 to 30, which are no epochs")
    dates = judge(log.with_columns(day=20_260_100 + pl.int_range(pl.len()) % 31), time="day", **FEW)
    (note,) = notes(dates, "epochs")
    assert note.endswith("; dates are written 2026-01-05")
    day = pl.col("day")
    for at in (day, day.dt.epoch("s"), day.dt.epoch("ns").cast(pl.String), day.cast(pl.Date)):
        assert not notes(judge(recent.with_columns(day=at), time="day", **FEW), "'day'")


def test_rows_without_a_group_are_counted(log: pl.DataFrame, tmp_path: Path) -> None:
    some = log.with_columns(user=pl.when(pl.int_range(pl.len()) >= 150).then("user"))
    told = ["'user' is missing on 150 rows of 600 (25 %): each is a group of its own for "
            "intervals, and in none for GAUC"]  # fmt: skip
    judged = judge(some, group="user", **FEW)
    assert notes(judged, "is missing on") == told
    assert judged.units > some["user"].n_unique()
    some.write_csv(tmp_path / "log.csv")
    assert notes(judge(tmp_path / "log.csv", group="user", **FEW), "is missing on") == told
    assert not notes(judge(log, group="user", **FEW), "is missing on")
    assert not notes(judge(some, **FEW), "is missing on")


def test_a_pctcvr_of_its_own_is_told(log: pl.DataFrame) -> None:
    product = pl.col("pctr_a") * pl.col("pcvr_a")
    a_third = pl.int_range(pl.len()) < 200
    wrong = log.with_columns(pctcvr_a=pl.when(a_third).then(product / 2).otherwise(product))
    (note,) = notes(judge(wrong, **FEW), "pCTCVR differs")
    largest = float((wrong["pctcvr_a"] - wrong["pctr_a"] * wrong["pcvr_a"]).abs().max())  # type: ignore[arg-type]
    assert note.startswith(
        f"pCTCVR differs from pCTR x pCVR of a on 200 rows of 600 (33 %, by up to {largest:.2g})"
    )
    for decimals in (2, 4, 6):
        names = ["pctr_a", "pcvr_a", "pctcvr_a"]
        right = log.with_columns(pctcvr_a=product).with_columns(pl.col(names).round(decimals))
        assert not notes(judge(right, **FEW), "pCTCVR differs")
    singles = log.with_columns(pctcvr_a=product).cast({"pctcvr_a": pl.Float32})
    assert not notes(judge(singles, **FEW), "pCTCVR differs")


def test_the_model_to_beat_is_named_where_nobody_named_it(log: pl.DataFrame) -> None:
    first = notes(judge(log, **FEW), "compared with '")
    assert first == ["compared with 'a' (the first; another with against)"]
    turned = log.select(reversed(log.columns))
    assert notes(judge(turned, **FEW), "compared with '")[0].startswith("compared with 'b'")
    assert not notes(judge(turned, against="a", **FEW), "compared with '")
    assert not notes(judge(log.drop("pctr_b", "pcvr_b"), **FEW), "compared with '")


def test_read_options_are_heeded_or_refused(log: pl.DataFrame, tmp_path: Path) -> None:
    names = ["pctr_a", "pcvr_a", "price"]
    comma = log.with_columns(pl.col(names).cast(pl.String).str.replace(".", ",", literal=True))
    comma.write_parquet(tmp_path / "log.parquet")
    found = judge(tmp_path / "log.parquet", by="price", read=["decimal=,"], **FEW)
    plain = judge(log, by="price", **FEW)
    assert found.value("a", "cvr_nll") == pytest.approx(plain.value("a", "cvr_nll"))
    assert [one.value for one in found.segments] == [one.value for one in plain.segments]
    with pytest.raises(InputError) as refused:
        judge(tmp_path / "log.parquet", read=["decimal=,", "separator=;"], **FEW)
    assert "log.parquet is no text with a separator of its own" in str(refused.value)
    log.write_csv(tmp_path / "log.csv", separator=";")
    judge(tmp_path / "log.csv", read=["separator=;"], randomised_log=log, **FEW)


def test_one_is_not_called_several(tmp_path: Path) -> None:
    """A log of one row of each kind: no count of 1 stands before a plural, on either output."""
    log = predictions(300, seed=4)
    one = pl.concat([
        log.filter(pl.col("click") == 0)[:1],
        log.filter((pl.col("click") == 1) & (pl.col("conversion") == 0))[:1],
        log.filter(pl.col("conversion") == 1)[:1],
    ])  # fmt: skip
    single = one.filter(pl.col("conversion") == 1)
    for part in (single, one.filter(pl.col("click") == 1), one):
        judged = judge(
            part, by=["shop"], group="user", propensity="pctr", exposure="position", **FEW
        )
        said = [*lines(judged), render(judged), judged.answer.sentence if judged.answer else ""]
        said += [str(table.caption) for table in tables(judged)]
        plural = r"\b(?<![\d.,])1 (rows|clicks|conversions|values|groups|impressions|models)\b"
        assert not re.findall(plural, " ".join(said))


def test_estimators_have_one_name(log: pl.DataFrame) -> None:
    judged = judge(log, propensity="pctr", **FEW)
    assert judged.entire is not None
    (table,) = (one for one in tables(judged) if "Entire space" in str(one.title))
    names = list(table.columns[1].cells)
    assert names == 2 * list(judged.entire["models"]["a"]["estimators"]) == ["snipw", "dr"] * 2
    page = render(judged)
    for name in ("snipw", "dr"):
        assert f"<dt>{name}: " in page
        assert f"all impressions, {name}" in page
        assert f">{name}</td>" in page


def test_a_notebook_shows_the_answer_and_the_main_figures(log: pl.DataFrame) -> None:
    hostile = log.rename({f"p{kind}_b": f"p{kind}_<b>&" for kind in ("ctr", "cvr")})
    judged = judge(hostile.drop("pctr_a"), group="user", **FEW)
    page = judged._repr_html_()
    root = ElementTree.fromstring(f"<div>{page}</div>")
    assert judged.answer is not None
    strong = root.find(".//strong")
    assert strong is not None
    assert "".join(strong.itertext()) == judged.answer.sentence.replace("`", "")
    rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    assert rows[0] == ["model", "cvr_auc", "cvr_nll", "cvr_pcoc", "ctr_auc", "ctr_pcoc",
                       "ctcvr_auc", "ctcvr_pcoc"]  # fmt: skip
    assert [row[0] for row in rows[1:]] == ["a", "<b>&"]
    assert rows[1][-4:] == [""] * 4
    found = judged.figure("<b>&", "ctr_auc")
    assert found is not None
    assert rows[2][4] == f"{found.value:.4f}{found.low:.4f} to {found.high:.4f}"
    none = judge(log.with_columns(conversion=pl.lit(0)), **FEW)._repr_html_()
    assert "undefined</span>" in none
