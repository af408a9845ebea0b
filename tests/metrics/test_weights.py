"""Row weights in every metric: scikit-learn's, copies of rows, and 1 as if there were none."""

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score  # type: ignore[import-untyped]

from helpers.judged_logs import Columns, by_key, evaluated, log, pick
from postclick.errors import InputError
from postclick.metrics import EvaluationSums, Metric, RankingMetric, Rows, State
from postclick.metrics.auc import auc
from postclick.metrics.buckets import Bucket, by_bucket, calibration_error
from postclick.metrics.propensity import overlap_histogram
from postclick.metrics.roc import roc_points

NAMES = ("true_cvr", "group", "weight")


def weighted_log(n: int = 3000, seed: int = 0, ties: bool = True) -> Columns:
    """Weights of all sizes, and some of 0."""
    columns = log(n, seed=seed, dtype="float64", ties=ties)
    rng = np.random.default_rng(seed + 50)
    weight = rng.lognormal(0.0, 2.0, n) * (rng.random(n) < 0.9)
    return {**columns, "weight": weight}


@pytest.mark.parametrize("ties", [False, True])
def test_every_metric_against_scikit_learn(ties: bool) -> None:
    columns = weighted_log(ties=ties)
    got = by_key(evaluated(pick(columns, "true_cvr", "weight")))
    w, zp, zq = (columns[name] for name in ("weight", "ctr_logit", "cvr_logit"))
    p, q = 1 / (1 + np.exp(-zp)), 1 / (1 + np.exp(-zq))
    c, v = columns["click"] == 1, columns["conversion"] == 1
    r = columns["true_cvr"].astype(np.float64)
    t = p * q
    ranks = t.round(12)
    expected: dict[tuple[str, str], float] = {
        ("ctr_auc", "entire"): roc_auc_score(c, p, sample_weight=w),
        ("ctcvr_auc", "entire"): roc_auc_score(v, ranks, sample_weight=w),
        ("cvr_auc", "clicked"): roc_auc_score(v[c], q[c], sample_weight=w[c]),
        ("ctr_nll", "entire"): log_loss(c, p, sample_weight=w),
        ("ctcvr_nll", "entire"): log_loss(v, t, sample_weight=w),
        ("cvr_nll", "clicked"): log_loss(v[c], q[c], sample_weight=w[c]),
        ("ctr_pcoc", "entire"): np.average(p, weights=w) / np.average(c, weights=w),
        ("ctcvr_pcoc", "entire"): np.average(t, weights=w) / np.average(v, weights=w),
        ("cvr_pcoc", "clicked"): (w * q)[c].sum() / w[v].sum(),
        ("cvr_bias_recorded", "entire"): np.average(q - v, weights=w),
    }
    for space, rows in {"clicked": c, "unclicked": ~c, "entire": c | True}.items():
        twice = np.repeat([True, False], rows.sum())
        mass = np.concatenate([(w * r)[rows], (w * (1 - r))[rows]])
        score = np.tile(q[rows], 2)
        mean_q, mean_r = (np.average(x[rows], weights=w[rows]) for x in (q, r))
        expected |= {
            ("true_cvr_auc", space): roc_auc_score(twice, score, sample_weight=mass),
            ("true_cvr_nll", space): log_loss(twice, score, sample_weight=mass),
            ("cvr_bias", space): mean_q - mean_r,
            ("cvr_relative_bias", space): mean_q / mean_r - 1,
        }
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert got[key].value == pytest.approx(value, rel=1e-12, abs=1e-12), key
        assert got[key].weight is not None


@pytest.mark.parametrize("truth", ["true_cvr", "potential_conversion", "none"])
@pytest.mark.parametrize("ties", [False, True])
def test_whole_weights_are_copies_of_rows(truth: str, ties: bool) -> None:
    columns = log(700, ties=ties)
    counts = np.random.default_rng(3).integers(0, 5, 700)
    chosen = pick(columns, truth, "group")
    found = by_key(evaluated({**chosen, "weight": counts}))
    copies = by_key(evaluated({k: np.repeat(x, counts) for k, x in chosen.items()}))
    assert found.keys() == copies.keys()
    for key, value in copies.items():
        mine = found[key]
        assert mine.value == pytest.approx(value.value, rel=1e-12, abs=1e-13), key
        assert (mine.size, mine.positives) == pytest.approx((value.rows, value.positives))
        if value.groups is not None:
            assert mine.groups is not None
            assert mine.groups.used == value.groups.used


def test_weights_of_one_change_no_bit() -> None:
    columns = log(30_000)
    plain = evaluated(pick(columns, "true_cvr", "group")).compute()
    ones = {**columns, "weight": np.ones(30_000, np.float32)}
    found = evaluated(pick(ones, *NAMES)).compute()
    assert found == plain
    assert "weight" not in found[0].as_dict()


def test_the_scale_of_weights_cancels() -> None:
    columns = weighted_log(500)
    found = by_key(evaluated(pick(columns, *NAMES)))
    for factor in (1e-9, 3.7, 1e9):
        scaled = by_key(evaluated(pick({**columns, "weight": columns["weight"] * factor}, *NAMES)))
        for key, value in found.items():
            assert scaled[key].value == pytest.approx(value.value, rel=1e-10, abs=1e-13), key


def test_batches_with_and_without_a_weight_above_one_merge() -> None:
    """A batch of weights 1 is kept without, and is not forgotten when others have some."""
    columns = weighted_log(900)
    columns["weight"][300:600] = 1.0
    whole = by_key(evaluated(pick(columns, *NAMES)))
    pieces = [np.arange(a, a + 300) for a in (300, 0, 600)]
    cut = by_key(evaluated(pick(columns, *NAMES), *pieces))
    first, *rest = (evaluated(pick(columns, *NAMES), piece) for piece in pieces)
    for one in rest:
        first.merge(one)
    for key, value in whole.items():
        for other in (cut, by_key(first)):
            assert other[key].value == pytest.approx(value.value, rel=1e-12, abs=1e-13), key
            assert other[key].weight == pytest.approx(value.weight)


def test_rows_of_no_weight_add_nothing() -> None:
    sums = EvaluationSums()
    # The prediction of the row that counts for nothing is infinitely wrong.
    sums.update([1.0, 40.0], [1.0, 900.0], [1, 1], [1, 0], ctcvr_logprob=[-1.0, 0.0], weight=[2, 0])
    values = {m.metric: m.value for m in sums.compute() if m.value is not None}
    assert values["ctcvr_nll"] == pytest.approx(1.0)
    assert values["cvr_pcoc"] == pytest.approx(1 / (1 + math.exp(-1.0)))
    none = EvaluationSums()
    none.update([1.0, -1.0], [1.0, 0.0], [1, 0], [1, 0], weight=[0.0, 0.0])
    told = {m.metric: m.undefined for m in none.compute()}
    assert told["ctr_nll"] == "the weight is 0 on all of 2 rows"
    assert all(told.values())


@pytest.mark.parametrize("weight", [[1.0, -1.0], [1.0, math.nan], [1.0, math.inf], [1.0]])
def test_what_is_no_weight_is_refused(weight: list[float]) -> None:
    sums = EvaluationSums()
    with pytest.raises(InputError, match="weight"):
        sums.update([0.0, 1.0], [0.0, 1.0], [1, 0], [0, 0], weight=weight)
    assert sums.rows == 0


def test_weights_must_come_with_every_batch() -> None:
    sums = EvaluationSums()
    sums.update([0.0], [0.0], [1], [0], weight=[1.0])
    with pytest.raises(InputError, match="weight came from 'weight' so far and from 'no weight'"):
        sums.update([0.0], [0.0], [1], [0])


class Top(RankingMetric):
    """Of somebody who has not heard of weights: the contract's `weighted` is enough."""

    name, definition, higher_is_better = "top", "mean label of the upper half", True

    def compute(self, state: Any) -> float:
        return self.weighted(Rows(state.label, state.score))(np.ones(state.rows))

    def weighted(self, rows: Rows) -> Any:
        order = np.argsort(rows.score, kind="stable")[::-1]

        def value(weights: Any) -> float:
            w = weights[order]
            inside = np.cumsum(w) <= w.sum() / 2
            return float((w * rows.label[order])[inside].sum() / max(w[inside].sum(), 1e-300))

        return value


class Seen(Metric[State]):
    """One with a state of its own, which does not look at weights."""

    name, definition, higher_is_better = "seen", "rows seen", True

    def state(self) -> State:
        return State()

    def compute(self, state: State) -> float:
        return float(state.rows)

    def weighted(self, rows: Rows) -> Any:
        return lambda weights: float(weights.sum())


class Weighed(Seen):
    name, weighs_rows = "weighed", True

    def compute(self, state: State) -> float:
        return state.size


def test_metrics_of_ones_own() -> None:
    sums = EvaluationSums([Top(), Seen(), Weighed()])
    columns = weighted_log(400, ties=False)
    sums.update(**pick(columns, "weight"))
    found = by_key(sums)
    expected = Top().weighted(Rows(columns["click"], columns["ctr_logit"]))(columns["weight"])
    assert found["ctr_top", "entire"].value == pytest.approx(expected)
    refused = found["ctr_seen", "entire"]
    assert refused.value is None
    assert refused.undefined is not None
    assert "knows no row weights" in refused.undefined
    assert found["ctr_weighed", "entire"].value == pytest.approx(columns["weight"].sum())
    plain = EvaluationSums([Seen()])
    plain.update(**pick(columns))
    assert by_key(plain)["ctr_seen", "entire"].value == 400


def test_buckets_of_whole_weights_are_those_of_copies() -> None:
    rng = np.random.default_rng(0)
    by, p, y = rng.random(200), rng.random(200), rng.random(200) < 0.3
    counts = rng.integers(0, 4, 200)
    found = by_bucket(by, p, y, 4, weight=counts)
    assert sum(bucket.rows for bucket in found) == np.count_nonzero(counts)
    for bucket in found:
        inside = (by >= bucket.low) & (by <= bucket.high)
        w = counts * inside
        assert bucket.weight == w.sum()
        assert bucket.predicted == pytest.approx(np.average(p, weights=w))
        assert bucket.observed == pytest.approx(np.average(y, weights=w))
        assert bucket.pcoc == pytest.approx((w * p).sum() / (w * y).sum())
    gaps = [abs(b.predicted - b.observed) for b in found]
    weights = [b.weight for b in found]
    assert calibration_error(found) == pytest.approx(np.average(gaps, weights=weights))
    assert by_bucket(by, p, y, 4, weight=0 * counts) == ()
    assert by_bucket([0.1], [0.2], [1], weight=[3.0]) == (
        Bucket(0.1, 0.1, 1, pytest.approx(0.2), 1.0, pytest.approx(0.2), 3.0),
    )


def test_the_roc_curve_of_weights_has_their_auc() -> None:
    columns = weighted_log(2000)
    score, label, w = columns["ctr_logit"], columns["click"], columns["weight"]
    fpr, tpr = roc_points(score, label, 10_000, weight=w)
    assert np.trapezoid(tpr, fpr) == pytest.approx(roc_auc_score(label, score, sample_weight=w))
    plain = roc_points(score, label, 10_000)
    ones = roc_points(score, label, 10_000, weight=np.ones(2000))
    for a, b in zip(plain, ones, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert np.trapezoid(plain[1], plain[0]) == pytest.approx(auc(score, label))


def test_the_overlap_of_whole_weights_is_that_of_copies() -> None:
    columns = log(500)
    p = 1 / (1 + np.exp(-columns["ctr_logit"].astype(np.float64)))
    counts = np.random.default_rng(1).integers(1, 5, 500)
    found = overlap_histogram(p, columns["click"], 12, clip=(0.1, 0.5), weight=counts)
    copies = overlap_histogram(
        np.repeat(p, counts), np.repeat(columns["click"], counts), 12, clip=(0.1, 0.5)
    )
    np.testing.assert_allclose(found.clicked, copies.clicked)
    np.testing.assert_allclose(found.unclicked, copies.unclicked)
    assert found.clip_share == pytest.approx(copies.clip_share)
