import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score  # type: ignore[import-untyped]

from helpers.judged_logs import by_key, evaluated, log, pick
from helpers.reference_metrics import brute_auc, decimal_losses
from postclick.errors import InputError
from postclick.metrics import METRICS, EvaluationSums


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("ties", [False, True])
def test_every_metric_against_second_implementations(dtype: str, ties: bool) -> None:
    columns = log(3000, dtype=dtype, ties=ties)
    got = by_key(evaluated(pick(columns, "true_cvr")))
    zp, zq = (columns[name].astype(np.float64) for name in ("ctr_logit", "cvr_logit"))
    p, q = 1 / (1 + np.exp(-zp)), 1 / (1 + np.exp(-zq))
    click, v = columns["click"] == 1, columns["conversion"] == 1
    r = columns["true_cvr"].astype(np.float64)
    # scikit-learn sees 12 digits of p * q: products that tie must do so in both factor orders.
    t = (p * q).round(12)
    expected: dict[tuple[str, str], float] = {
        ("ctr_auc", "entire"): roc_auc_score(click, p),
        ("ctcvr_auc", "entire"): roc_auc_score(v, t),
        ("cvr_auc", "clicked"): roc_auc_score(v[click], q[click]),
        ("ctr_nll", "entire"): log_loss(click, p),
        ("ctcvr_nll", "entire"): log_loss(v, p * q),
        ("cvr_nll", "clicked"): log_loss(v[click], q[click]),
        ("ctr_pcoc", "entire"): p.sum() / click.sum(),
        ("ctcvr_pcoc", "entire"): (p * q).sum() / v.sum(),
        ("cvr_pcoc", "clicked"): q[click].sum() / v[click].sum(),
        ("cvr_bias_recorded", "entire"): q.mean() - v.mean(),
    }
    for space, rows in {"clicked": click, "unclicked": ~click, "entire": click | True}.items():
        # A soft label is a positive row of weight r and a negative row of weight 1 - r.
        twice = np.repeat([True, False], rows.sum())
        weight, score = np.concatenate([r[rows], 1 - r[rows]]), np.tile(q[rows], 2)
        expected |= {
            ("true_cvr_auc", space): roc_auc_score(twice, score, sample_weight=weight),
            ("true_cvr_nll", space): 2
            * np.mean(weight * -np.log(np.where(twice, score, 1 - score))),
            ("cvr_bias", space): q[rows].mean() - r[rows].mean(),
            ("cvr_relative_bias", space): q[rows].mean() / r[rows].mean() - 1,
        }
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert got[key].value == pytest.approx(value, rel=1e-10, abs=1e-13), key


def test_rows_and_positives() -> None:
    columns = log(500)
    got = by_key(evaluated(pick(columns, "true_cvr")))
    click, v, r = (columns[name] for name in ("click", "conversion", "true_cvr"))
    told = {key: (m.rows, m.positives) for key, m in got.items()}
    assert told["ctr_auc", "entire"] == (500, click.sum())
    assert told["ctcvr_nll", "entire"] == (500, v.sum())
    assert told["cvr_pcoc", "clicked"] == (click.sum(), v.sum())
    assert told["cvr_bias_recorded", "entire"] == (500, v.sum())
    for space, rows in (("clicked", click == 1), ("unclicked", click == 0)):
        count, mass = told["true_cvr_nll", space]
        assert count == rows.sum()
        assert mass == pytest.approx(r[rows].sum(dtype=np.float64), rel=1e-12, abs=0)


def test_without_truth_its_metrics_are_left_out() -> None:
    names = {m.metric for m in evaluated(pick(log(100))).compute()}
    assert names == {
        name for name, metric in METRICS.items() if not metric.needs_truth and not metric.needs
    }


def test_potential_conversions_stand_in_for_the_true_cvr() -> None:
    columns = log(400, ties=True)
    drawn = columns["potential_conversion"]
    got = by_key(evaluated(pick(columns, "potential_conversion")))
    zq = columns["cvr_logit"]
    assert got["true_cvr_auc", "entire"].value == pytest.approx(roc_auc_score(drawn, zq), abs=1e-12)
    q = 1 / (1 + np.exp(-zq.astype(np.float64)))
    assert got["true_cvr_nll", "entire"].value == pytest.approx(
        log_loss(drawn, q), rel=1e-12, abs=0
    )
    assert got["cvr_bias", "entire"].value == pytest.approx(q.mean() - drawn.mean(), abs=1e-14)
    both = by_key(evaluated(pick(columns, "potential_conversion", "true_cvr")))
    assert both == by_key(evaluated(pick(columns, "true_cvr")))


@pytest.mark.parametrize("size", [30.0, 100.0])
def test_confident_predictions_keep_every_digit(size: float) -> None:
    signs = [(a, b, c, c & v) for a in (-1, 1) for b in (-1, 1) for c in (0, 1) for v in (0, 1)]
    zp, zq, click, conversion = (np.array(column) for column in zip(*signs, strict=True))
    sums = EvaluationSums()
    sums.update((zp * size).astype(np.float32), (zq * size).astype(np.float32), click, conversion)
    rows = [decimal_losses(a * size, b * size, c, v) for a, b, c, v in signs]
    got = by_key(sums)
    clicked = [row["cvr_nll"] for row, c in zip(rows, click, strict=True) if c]
    for key, exact in (
        (("ctr_nll", "entire"), [row["ctr_nll"] for row in rows]),
        (("ctcvr_nll", "entire"), [row["ctcvr_nll"] for row in rows]),
        (("cvr_nll", "clicked"), clicked),
    ):
        assert got[key].value == pytest.approx(math.fsum(exact) / len(exact), rel=1e-14, abs=0)


def test_confident_and_right_is_not_rounded_to_zero() -> None:
    sums = EvaluationSums()
    sums.update([30.0], [30.0], [1], [1])
    exact = decimal_losses(30.0, 30.0, 1, 1)["ctcvr_nll"]
    assert 0 < exact < 1e-12
    assert by_key(sums)["ctcvr_nll", "entire"].value == pytest.approx(exact, rel=1e-14, abs=0)


def test_ranks_survive_where_probabilities_saturate() -> None:
    sums = EvaluationSums()
    click, v = np.ones(4), np.array([0, 1, 0, 1])
    sums.update(np.array([40, 41, 42, 43.0], np.float32), np.full(4, 90.0, np.float32), click, v)
    assert by_key(sums)["ctcvr_auc", "entire"].value == 0.75


def test_given_pctcvr_replaces_the_product() -> None:
    columns = pick(log(300))
    zp, zq = (columns[name].astype(np.float64) for name in ("ctr_logit", "cvr_logit"))
    product = -np.logaddexp(0, -zp) - np.logaddexp(0, -zq)
    same = by_key(evaluated({**columns, "ctcvr_logprob": product}))
    for key, value in by_key(evaluated(columns)).items():
        assert same[key].value == pytest.approx(value.value, rel=1e-12, abs=0)
    other = by_key(evaluated({**columns, "ctcvr_logprob": 2 * product + zp.min()}))
    v = columns["conversion"] == 1
    t = np.exp(2 * product + zp.min())
    assert other["ctcvr_nll", "entire"].value == pytest.approx(log_loss(v, t), rel=1e-10, abs=0)
    assert other["ctcvr_pcoc", "entire"].value == pytest.approx(t.sum() / v.sum(), rel=1e-12, abs=0)
    shuffled = np.log(np.random.default_rng(0).random(300))
    got = by_key(evaluated({**columns, "ctcvr_logprob": shuffled}))["ctcvr_auc", "entire"].value
    assert got == pytest.approx(brute_auc(shuffled, v, ~v), abs=1e-12)


def test_certain_and_wrong_is_undefined_not_infinite() -> None:
    sums = EvaluationSums()
    sums.update([1.0, 1.0], [1.0, 2.0], [1, 1], [0, 1], ctcvr_logprob=[0.0, -0.5])
    got = by_key(sums)["ctcvr_nll", "entire"]
    assert got.value is None
    assert got.undefined == "infinite: a prediction of exactly 0 or 1 was wrong"


def test_nothing_seen() -> None:
    sums = EvaluationSums()
    sums.update([], [], [], [])
    for value in sums.compute():
        assert value.value is None
        assert value.undefined == ("no clicked rows" if value.space == "clicked" else "no rows")


def test_no_click_all_clicks_one_row() -> None:
    columns = pick(log(40), "true_cvr")
    nobody = {**columns, "click": np.zeros(40), "conversion": np.zeros(40)}
    got = by_key(evaluated(nobody))
    assert got["cvr_nll", "clicked"].undefined == "no clicked rows"
    assert got["ctr_auc", "entire"].undefined == "no clicks among 40 rows"
    assert got["ctcvr_auc", "entire"].undefined == "no conversions among 40 rows"
    assert got["true_cvr_auc", "entire"].value == got["true_cvr_auc", "unclicked"].value
    everyone = by_key(evaluated({**columns, "click": np.ones(40)}))
    assert everyone["ctr_auc", "entire"].undefined == "no negatives: clicks on all 40 rows"
    assert everyone["true_cvr_auc", "unclicked"].undefined == "no unclicked rows"
    single = by_key(evaluated(pick(log(1), "true_cvr")))
    assert single["ctr_nll", "entire"].value is not None


def test_optional_columns_must_not_change_midway() -> None:
    columns = log(20)
    sums = evaluated(pick(columns, "true_cvr"))
    before = by_key(sums)
    for other in ((), ("potential_conversion",)):
        with pytest.raises(InputError, match="truth came from 'true_cvr' so far"):
            sums.update(**pick(columns, *other))
        with pytest.raises(InputError, match="truth came from 'true_cvr' so far"):
            sums.merge(evaluated(pick(columns, *other)))
    with pytest.raises(InputError, match="pCTCVR came from 'pCTR x pCVR' so far"):
        sums.update(**pick(columns, "true_cvr"), ctcvr_logprob=np.full(20, -1.0))
    assert by_key(sums) == before


BAD: list[tuple[dict[str, Any], str]] = [
    ({"ctr_logit": [0.0, np.nan]}, "ctr_logit is NaN or infinite on 1 of 2"),
    ({"cvr_logit": [0.0, np.inf]}, "cvr_logit is NaN or infinite on 1 of 2"),
    ({"cvr_logit": [0.0]}, "cvr_logit has 1 rows where 2"),
    ({"ctr_logit": [[0.0], [0.0]]}, "ctr_logit has shape"),
    ({"click": [0.0, 0.5]}, "click is neither 0 nor 1"),
    ({"conversion": [0, 2]}, "conversion is neither 0 nor 1"),
    ({"conversion": [1, 1]}, "1 of 2 rows has a conversion without a click"),
    ({"true_cvr": [0.5, 1.5]}, "true_cvr lies outside"),
    ({"true_cvr": [0.5, np.nan]}, "true_cvr is NaN"),
    ({"potential_conversion": [0.5, 1]}, "potential_conversion is neither"),
    ({"true_cvr": [0.5, 0.5], "potential_conversion": [3, 1]}, "potential_conversion is neither"),
    ({"ctcvr_logprob": [-0.5, 0.5]}, "ctcvr_logprob lies outside"),
    ({"ctcvr_logprob": [-0.5, -np.inf]}, "ctcvr_logprob is NaN or infinite"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_refused_and_leaves_no_trace(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "ctr_logit": [0.0, 1.0],
        "cvr_logit": [0.0, 1.0],
        "click": [0, 1],
        "conversion": [0, 1],
    }
    sums = EvaluationSums()
    with pytest.raises(InputError, match=message):
        sums.update(**{**good, **change})
    assert sums.rows == 0
    sums.update(**good)  # nothing of the refused batch was remembered
    assert sums.rows == 2
