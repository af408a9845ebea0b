import numpy as np

from postclick.metrics import AUC, Rows, ScoredRows


def kept_of(label: list[bool], score: list[float]) -> ScoredRows:
    kept = ScoredRows()
    kept.add(Rows(np.array(label), np.array(score)))
    return kept


def test_arrays_are_copied() -> None:
    kept = ScoredRows()
    score, label, group = np.array([0.0, 1.0]), np.array([False, True]), np.array([1, 2])
    kept.add(Rows(label, score, group))
    score[:], label[:], group[:] = [1.0, 0.0], False, 0
    assert AUC().compute(kept) == 1.0
    assert kept.group.tolist() == [1, 2]


def test_merge_leaves_the_other_alone() -> None:
    left, right = kept_of([True], [0.1]), kept_of([False], [0.9])
    left.merge(right)
    assert (left.rows, AUC().compute(left)) == (2, 0.0)
    assert (right.rows, AUC().compute(right)) == (1, None)


def test_mixed_precision_keeps_the_finer() -> None:
    fine = float(np.nextafter(1.0, 2.0))
    kept = ScoredRows()
    for score, label in ((np.float32(1.0), False), (np.float64(fine), True)):
        kept.add(Rows(np.array([label]), np.array([score])))
    assert AUC().compute(kept) == 1.0
