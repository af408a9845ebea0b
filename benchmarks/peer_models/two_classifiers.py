"""Boosted trees as CTR and CVR models: a classifier of clicks, one of conversions of clicked."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from plain_log import PlainSplit, Scores


class Target(NamedTuple):
    """What a classifier learns: a column of the labels, on all rows or on clicked ones."""

    label: int
    clicked_only: bool

    def of(self, split: PlainSplit) -> tuple[np.ndarray, np.ndarray]:
        """Which rows count, bool [rows], and their labels, float32."""
        labels = split.labels
        kept = labels[:, 0] > 0 if self.clicked_only else np.ones(len(labels), bool)
        return kept, labels[kept, self.label]


def two_classifiers(fit: Callable[[Target], Any], trees: Callable[[Any], int], test: Any) -> Scores:
    """Scores of both, with the trees that each has left.

    Args:
        fit: trains and stops one of them.
        trees: how many one has.
        test: the test rows as they take them.
    """
    models = [fit(Target(0, clicked_only=False)), fit(Target(1, clicked_only=True))]
    pctr, pcvr = (model.predict_proba(test)[:, 1] for model in models)
    return Scores(pctr, pcvr, " and ".join(str(trees(model)) for model in models) + " trees")
