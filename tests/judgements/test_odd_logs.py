"""Odd logs on the command line: exit code 0 or 2, one line or an answer, and JSON that is JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.commands import run
from helpers.predictions import predictions

Change = Callable[[pl.DataFrame], pl.DataFrame]
BIN = (pl.col("pctr") > 0.5).cast(pl.Float64)


def base() -> pl.DataFrame:
    log = predictions(200, seed=3)
    return log.drop("pctr_b", "pcvr_b").rename({"pctr_a": "pctr", "pcvr_a": "pcvr"})


def renamed(name: str) -> Change:
    return lambda log: log.rename({"pctr": f"pctr_{name}", "pcvr": f"pcvr_{name}"}).with_columns(
        pcvr_other=pl.lit(0.5)
    )


def constant(**values: Any) -> Change:
    return lambda log: log.with_columns(**{k: pl.lit(v) for k, v in values.items()})


NAN, INF = float("nan"), float("inf")
ALL = "--by shop,price --group user --exposure position --propensity pctr --time day"
# Log, options, exit code, and what is printed or said.
ODD: dict[str, tuple[Change, str, int, str]] = {
    "no rows": (lambda log: log[:0], "", 2, "no rows to judge"),
    "one row": (lambda log: log[:1], ALL, 0, "no level can be judged"),
    "one clicked row": (
        lambda log: log.filter(pl.col("conversion") == 1)[:1], ALL, 0, "too few rows",
    ),
    "everything clicked": (lambda log: log.filter(pl.col("click") == 1), ALL, 0, "CVR-AUC is"),
    "no click": (lambda log: log.filter(pl.col("click") == 0), ALL, 0, "0 clicks: no level can"),
    "no conversion": (constant(conversion=0), ALL, 0, "The pCTR of `model`"),
    "everything converts": (
        lambda log: log.filter(pl.col("conversion") == 1), ALL, 0, "The pCVR of `model`",
    ),
    "no label": (constant(click=None), "", 2, "'click' is neither 0 nor 1"),
    "no prediction": (constant(pcvr=None), "", 2, "'pcvr'"),
    "predictions that are no number": (constant(pcvr=NAN), "", 2, "(nan)"),
    "infinite predictions": (constant(pctr=INF), "", 2, "(inf)"),
    "nulls in all else": (
        constant(shop=None, price=None, user=None, position=None, day=None), ALL, 0, "pCVR",
    ),
    "predictions of 0 and 1": (
        lambda log: log.with_columns(pctr=BIN, pcvr=BIN), ALL, 0, "1 - 1e-7",
    ),
    "predictions as whole numbers": (
        lambda log: log.with_columns(pctr=BIN.cast(pl.Int8), pcvr=BIN == 1), "", 0, "1e-7",
    ),
    "a constant prediction": (constant(pctr=0.3, pcvr=0.2), ALL, 0, "CVR-AUC is 0.500"),
    "models of one name": (lambda log: log, "--model a=pcvr:pcvr --model a=pctr:pctr", 2, "'a'"),
    "a name with a space": (renamed("my model"), "--by shop", 0, "`my model`"),
    "a name with accents": (renamed("modèle 模型"), "--by shop", 0, "`modèle 模型`"),
    "a name with markup": (renamed("[bold]x[/bold]"), "--by shop", 0, "`[bold]x[/bold]`"),
    "a name that closes markup": (renamed("[/]"), "--by shop", 0, "`[/]`"),
    "a name like a space": (renamed("entire"), ALL, 0, "`entire`"),
    "a name like a prediction": (renamed("pctr"), "", 0, "`pctr`"),
    "values with markup": (constant(shop="[red]z[/]"), "--by shop", 0, "[red]z[/]"),
    "a value like a missing one": (constant(shop="(missing)"), "--by shop", 0, "(missing)"),
    "a list": (lambda log: log.with_columns(t=pl.concat_list("shop")), "--by t", 2, "give --by"),
    "a list as a group": (
        lambda log: log.with_columns(t=pl.concat_list("shop")), "--group t", 2, "'t' holds List",
    ),
    "a list as a prediction": (
        lambda log: log.with_columns(pcvr=pl.concat_list("pctr")), "", 2, "'pcvr' holds List",
    ),
    "a feature that is the group": (lambda log: log, "--by user --group user", 0, "by user"),
    "one group": (constant(user=1), "--group user", 0, "too few rows"),
    "a feature twice": (lambda log: log, "--by shop,shop", 0, "by shop"),
    "labels as features": (lambda log: log, "--by click,conversion,pctr", 0, "by click"),
    "no weight at all": (
        constant(times=0), f"{ALL} --weight times", 2, "all weights ('times') are 0",
    ),
    "huge weights": (constant(times=1e30), f"{ALL} --weight times", 0, "pCVR"),
    "weights beyond": (constant(times=1e300), "--weight times", 2, "from 0 to 1e+30"),
    "infinite values": (constant(price=INF), ALL, 0, "by price"),
    "moments of three thousand years": (
        lambda log: log.with_columns(
            day=pl.Series([0, 9 * 10**16] * 100).cast(pl.Datetime("us"))
        ), ALL, 0, "by day",
    ),
    "pCTCVR alone": (
        lambda log: log.select("click", "conversion", pctcvr=pl.col("pctr") * pl.col("pcvr")),
        "", 0, "The pCTCVR of `model`",
    ),
    "pCTCVR above pCTR": (
        lambda log: log.drop("pcvr").with_columns(pctcvr=pl.col("pctr").sqrt()), ALL, 0, "pCVR",
    ),
    "none random": (constant(drawn=0), "--randomised drawn", 0, "none is random"),
    "all random": (constant(drawn=1), "--randomised drawn", 0, "Randomised impressions"),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_an_odd_log_is_judged_or_refused_in_one_line(case: str, tmp_path: Path) -> None:
    change, options, code, told = ODD[case]
    path = tmp_path / "log.parquet"
    change(base()).write_parquet(path)
    arguments = ["judge", path, *options.split(), "--resamples", "40"]
    if options.startswith("--model"):
        arguments = ["judge", path, *options.split()]
    done = run(*arguments)
    assert done.code == code, done.err
    said = " ".join((done.out if code == 0 else done.err).split())
    assert told in said, said
    assert "Traceback" not in done.out + done.err
    assert not any(word in done.out for word in ("nan", "None"))
    if code == 2:
        assert done.err.count("\n") == 1
        return
    printed = run(*arguments, "--json")
    assert printed.code == 0
    found = json.loads(printed.out, parse_constant=_refuse)
    assert found["answer"]["sentence"] in said
    for one in found["figures"]:
        assert (one["value"] is None) == (one["undefined"] is not None)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def test_many_values_are_refused(tmp_path: Path) -> None:
    rows = 200_000
    log = pl.DataFrame({"click": np.arange(rows) % 2, "pctr": np.full(rows, 0.5)})
    log = log.with_columns(conversion=pl.lit(0), item=pl.int_range(rows))
    log.write_parquet(tmp_path / "log.parquet")
    done = run("judge", tmp_path / "log.parquet", "--by", "item")
    assert done.code == 2
    assert "'item' has more than 100,000 values: give --by one with fewer" in done.err


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    base().write_csv(tmp_path / "log.csv")
    out = tmp_path / "out"
    options = (*ALL.split(), "--weight", "times", "--out", out, "--resamples", "40")
    done = run("judge", tmp_path / "log.csv", *options)
    assert done.code == 0, done.err
    summary = json.loads((out / "summary.json").read_text(), parse_constant=_refuse)
    for name in ("figures", "differences", "segments", "buckets"):
        table = pl.read_parquet(out / f"{name}.parquet")
        assert table.to_dicts() == summary[name]
    again = run("judge", tmp_path / "log.csv", *options)
    assert again.code == 2
    assert "exists already" in again.err
