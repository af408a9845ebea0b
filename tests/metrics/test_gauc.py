"""GAUC against a loop over groups and pairs; ties, missing groups, splits, weights."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from helpers.judged_logs import by_key, log, pick
from postclick.errors import InputError
from postclick.metrics import GAUC, EvaluationSums, Groups, Rows, auc, gauc

Array = NDArray[Any]


def by_pairs(
    score: Array, label: Array, group: Array, weight: Array | None = None
) -> tuple[float | None, Groups]:
    """Group by group, pair by pair; a label is the mass of its row as a positive."""
    weight = np.ones(score.size) if weight is None else weight
    total = won = 0.0
    used = rows_used = one_class = 0
    for one in sorted(set(group.tolist()) - {0}):
        mine = np.flatnonzero(group == one)
        pairs = better = 0.0
        for i in mine:
            for j in mine:
                mass = weight[i] * label[i] * weight[j] * (1 - label[j])
                pairs += mass
                better += mass * (0.5 * (score[i] == score[j]) + (score[i] > score[j]))
        if pairs == 0:
            one_class += 1
            continue
        used, rows_used = used + 1, rows_used + mine.size
        of_group = float(weight[mine].sum())
        total += of_group
        won += of_group * better / pairs
    counted = Groups(used, rows_used, one_class, int((group == 0).sum()))
    return (won / total if used else None), counted


def some(n: int, seed: int, groups: int, levels: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, n).astype(np.float32)
    return score, rng.random(n) < 0.35, rng.integers(0, groups + 1, n)


def state_of(*pieces: tuple[Array, Array, Array]) -> Any:
    state = GAUC().state()
    for score, label, group in pieces:
        state.add(Rows(label, score, group))
    return state


@given(
    n=st.integers(0, 40),
    seed=st.integers(0, 10_000),
    groups=st.integers(1, 8),
    levels=st.sampled_from([1, 2, 4, 1_000]),
    pieces=st.integers(1, 5),
)
@settings(deadline=None, max_examples=200)
def test_pairs_counted_one_by_one(n: int, seed: int, groups: int, levels: int, pieces: int) -> None:
    score, label, group = some(n, seed, groups, levels)
    expected, counted = by_pairs(score, label, group)
    got = gauc(score, label, group)
    assert got == (None if expected is None else pytest.approx(expected, rel=1e-12))
    order = np.random.default_rng(seed).permutation(n)
    cut = [
        (score[rows], label[rows], group[rows]) for rows in np.array_split(order, pieces)
    ]  # a group's rows come in several pieces
    whole, merged = state_of(*cut), GAUC().state()
    for piece in cut:
        merged.merge(state_of(piece))
    for state in (whole, merged):
        if n:
            assert GAUC().with_groups(state) == (got, counted)  # to the last bit


@given(
    seed=st.integers(0, 10_000),
    groups=st.integers(1, 6),
    levels=st.sampled_from([1, 3, 1_000]),
    soft=st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_weights_of_rows(seed: int, groups: int, levels: int, soft: bool) -> None:
    score, label, group = some(30, seed, groups, levels)
    rng = np.random.default_rng(seed)
    y = rng.random(30) if soft else label.astype(float)
    weighted = GAUC().weighted(Rows(y, score, group))
    for weight in (np.ones(30), rng.poisson(1.0, 30).astype(float), rng.random(30), np.zeros(30)):
        expected, _ = by_pairs(score, y, group, weight)
        got = weighted(weight)
        assert np.isnan(got) if expected is None else got == pytest.approx(expected, rel=1e-9)


def test_one_group_is_the_auc() -> None:
    score, label, _ = some(500, 1, 1, 50)
    assert gauc(score, label, np.full(500, 7)) == auc(score, label)
    assert gauc(score, label, np.arange(500) + 1) is None
    assert gauc([], [], []) is None


def test_group_numbers_may_be_anything() -> None:
    score, label, group = some(300, 2, 20, 10)
    wanted = gauc(score, label, group)
    assert gauc(score, label, group.astype(np.uint8)) == wanted
    ends = np.iinfo(np.int64)
    hashes = np.random.default_rng(3).integers(ends.min, ends.max, 21)
    # Small and negative, at the ends of int64, hashes, and hashes of which one half is the same.
    for numbers in (
        np.arange(21) - 30,
        np.where(np.arange(21) % 2 == 0, ends.max - np.arange(21), ends.min + np.arange(21)),
        hashes,
        (np.arange(21) % 3 - 1 << 40) + np.arange(21) + 1,
    ):
        assert np.unique(numbers).size == 21 and (numbers != 0).all()
        named = np.where(group == 0, 0, numbers[group])
        assert gauc(score, label, named) == pytest.approx(wanted, rel=1e-14)
        order = np.random.default_rng(4).permutation(300)
        again = gauc(score[order], label[order], named[order])
        assert again == gauc(score, label, named)  # to the last bit


def test_signed_zeros_and_infinities_rank() -> None:
    score = np.array([0.0, -0.0, np.inf, -np.inf])
    assert gauc(score, [1, 0, 1, 0], [1, 1, 2, 2]) == 0.75


def test_figures_within_groups() -> None:
    columns = pick(log(800, 4, ties=True), "true_cvr", "group")
    sums = EvaluationSums()
    for rows in np.array_split(np.arange(800), 7):
        sums.update(**{name: value[rows] for name, value in columns.items()})
    got = by_key(sums)
    click, v, group = columns["click"] == 1, columns["conversion"] == 1, columns["group"]
    zp, zq = columns["ctr_logit"], columns["cvr_logit"]
    for key, wanted in {
        ("ctr_gauc", "entire"): by_pairs(zp, click, group),
        ("cvr_gauc", "clicked"): by_pairs(zq[click], v[click], group[click]),
    }.items():
        assert got[key].value == pytest.approx(wanted[0], rel=1e-12)
        assert got[key].groups == wanted[1]
    p, q = (1 / (1 + np.exp(-z.astype(np.float64))) for z in (zp, zq))
    both, counted = by_pairs((p * q).round(12), v, group)
    assert got["ctcvr_gauc", "entire"].value == pytest.approx(both, rel=1e-12)
    assert got["ctcvr_gauc", "entire"].groups == counted
    # All other figures are those without groups.
    plain = EvaluationSums()
    plain.update(**pick(columns, "true_cvr"))
    assert by_key(plain).keys() == {key for key in got if "gauc" not in key[0]}
    assert got["ctr_auc", "entire"] == by_key(plain)["ctr_auc", "entire"]


def test_reasons() -> None:
    sums = EvaluationSums()
    sums.update([0.0, 1.0], [0.0, 0.0], [1, 0], [0, 0], group=[0, 0])
    assert by_key(sums)["ctr_gauc", "entire"].undefined == "no group on any of 2 rows"
    sums = EvaluationSums()
    sums.update([0.0, 1.0], [0.0, 0.0], [1, 0], [0, 0], group=[1, 2])
    got = by_key(sums)
    assert got["ctr_gauc", "entire"].undefined == (
        "no group has both classes: clicks and other rows, among 2 rows"
    )
    assert got["ctr_gauc", "entire"].groups == Groups(0, 0, 2, 0)
    sums = EvaluationSums()
    sums.update([0.0], [0.0], [0], [0], group=[1])
    assert by_key(sums)["cvr_gauc", "clicked"].undefined == "no clicked rows"


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ([0.5, 1.0], "group has dtype float64; give integers"),
        ([1], "group has 1 rows where 2"),
        (np.array([2**63, 1], np.uint64), "group has numbers of 2.63 and above"),
        (["a", "b"], "group has dtype"),
    ],
)
def test_bad_groups_are_refused(group: Any, message: str) -> None:
    sums = EvaluationSums()
    with pytest.raises(InputError, match=message):
        sums.update([0.0, 1.0], [0.0, 1.0], [0, 1], [0, 1], group=group)
    assert sums.rows == 0
    sums.update([0.0, 1.0], [0.0, 1.0], [0, 1], [0, 1], group=[1, 1])
    with pytest.raises(InputError, match="group came from 'group' so far and from 'no group' now"):
        sums.update([0.0, 1.0], [0.0, 1.0], [0, 1], [0, 1])
    with pytest.raises(InputError, match="gauc is of groups"):
        GAUC().weighted(Rows(np.ones(1), np.ones(1)))
