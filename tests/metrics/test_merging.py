"""However rows are cut into batches and merged, `EvaluationSums` must compute the same."""

import pickle
from functools import reduce
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from helpers.judged_logs import assert_same, by_key, evaluated, log, pick
from postclick.metrics import EvaluationSums


def cut(n: int, pieces: int, seed: int) -> list[NDArray[Any]]:
    rng = np.random.default_rng(seed)
    bounds = np.sort(rng.integers(0, n + 1, size=pieces - 1))
    return np.split(rng.permutation(n), bounds)  # some pieces may be empty


@given(
    n=st.integers(1, 60),
    pieces=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    truth=st.sampled_from(["true_cvr", "potential_conversion", "none"]),
    ties=st.booleans(),
    grouped=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_batches_and_merges_change_nothing(
    n: int, pieces: int, seed: int, truth: str, ties: bool, grouped: bool
) -> None:
    columns = pick(log(n, seed, ties=ties), truth, "group" if grouped else "none")
    whole = evaluated(columns)
    parts = cut(n, pieces, seed)
    assert_same(whole, evaluated(columns, *parts))

    def workers() -> list[EvaluationSums]:
        return [evaluated(columns, part) for part in parts]

    def merged(left: EvaluationSums, right: EvaluationSums) -> EvaluationSums:
        return left.merge(right)

    assert_same(whole, reduce(merged, workers(), EvaluationSums()))
    assert_same(whole, reduce(merged, reversed(workers())))

    def right_first(left: EvaluationSums, right: EvaluationSums) -> EvaluationSums:
        return right.merge(left)

    assert_same(whole, reduce(right_first, workers()))


def test_many_batches_of_a_larger_log() -> None:
    columns = pick(log(50_000, 5), "true_cvr", "group")
    assert_same(evaluated(columns), evaluated(columns, *cut(50_000, 700, 5)))


def test_sums_of_another_process_are_merged() -> None:
    columns = pick(log(90, 3), "true_cvr", "group")
    halves = [evaluated(columns, rows) for rows in np.split(np.arange(90), 2)]
    sent = [pickle.loads(pickle.dumps(half)) for half in halves]
    assert_same(evaluated(columns), EvaluationSums().merge(sent[0]).merge(sent[1]))


def test_merge_leaves_the_other_alone_and_returns_self() -> None:
    columns = pick(log(50))
    left, right = evaluated(columns), evaluated(columns)
    before = by_key(right)
    assert left.merge(right) is left
    assert (left.rows, right.rows) == (100, 50)
    assert by_key(right) == before


def test_computing_early_does_not_disturb() -> None:
    columns = pick(log(90), "true_cvr")
    sums = EvaluationSums()
    for rows in np.split(np.arange(90), 3):
        sums.update(**{name: value[rows] for name, value in columns.items()})
        sums.compute()
    assert sums.compute() == sums.compute()
    assert_same(sums, evaluated(columns))


def test_the_batch_buffer_may_be_reused() -> None:
    columns = pick(log(80), "true_cvr", "group")
    buffer = {name: np.empty(20, value.dtype) for name, value in columns.items()}
    sums = EvaluationSums()
    for start in range(0, 80, 20):
        for name, value in columns.items():
            buffer[name][:] = value[start : start + 20]
        sums.update(**buffer)
    assert_same(sums, evaluated(columns))
