"""A propensity fitted on the judged log itself: cross-fitted regularised logistic regression."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.extras import require
from postclick.judging.entire.encoding import Encoding
from postclick.judging.entire.inputs import Floats, as_units
from postclick.judging.entire.kinds import Kinds, feature_kinds, typed_features
from postclick.judging.entire.logistic import LogisticModel, fit_logistic
from postclick.judging.entire.sample import CLICK, UNIT, WEIGHT, ClickSample
from postclick.logits import sigmoid
from postclick.metrics.inputs import as_labels, in_range

FOLDS, SAMPLE_ROWS = 5, 300_000
# Of the penalty: with less, propensities of few rows are too sure of themselves, and their
# inverses sum to more than there are impressions.
STRENGTH = 5.0
# Rows whose matrix is held at once where all are scored.
CHUNK_ROWS = 1 << 17


class PropensityFit:
    """Learns P(click | features) from frames of a log, first all of them, then `fit`.

    A plain logistic regression with an L2 penalty on one-hot levels (rare ones pooled) and
    standardised numbers, which also have a column for each tenth of the rows; whole numbers are
    read both as levels and as numbers. Rows are scored by the one of K models that saw no row of
    their unit: a unit is in one fold.

    Memory: at most `rows` rows are kept to fit on, half of them clicked, weighted to stand for
    all; as a matrix 12 bytes for each of their features (24 for a number, 36 for a whole number),
    beside the frames themselves.

    Source: Chernozhukov et al., "Double/debiased machine learning for treatment and structural
    parameters", The Econometrics Journal, 2018 (cross-fitting).

    >>> rng = np.random.default_rng(0)
    >>> shop = rng.integers(0, 2, 4_000)
    >>> click = rng.random(4_000) < np.where(shop, 0.4, 0.1)
    >>> frame, unit = pl.DataFrame({"shop": shop.astype(str)}), np.arange(4_000) // 2
    >>> fit = PropensityFit()
    >>> fit.add(frame, click, unit)
    >>> found = fit.fit().predict(frame, unit)
    >>> [round(float(found[shop == k].mean()), 2) for k in (0, 1)]
    [0.11, 0.4]
    """

    def __init__(
        self,
        features: Collection[str] | None = None,
        *,
        categorical: Collection[str] = (),
        numeric: Collection[str] = (),
        folds: int = FOLDS,
        rows: int = SAMPLE_ROWS,
        strength: float = STRENGTH,
        seed: int = 0,
    ) -> None:
        """`features` are all columns without; `strength` is the weight of the penalty.

        Raises `InputError` where scikit-learn is not installed, and for settings out of range.
        """
        require("sklearn", "train", "fitting a propensity")
        if folds < 2:
            raise InputError(f"{folds} folds leave nothing to learn from; give 2 or more")
        if rows < 2 * folds:
            raise InputError(f"{rows:,} rows are too few for {folds} folds; give many more")
        if not 0.0 < strength < np.inf:
            raise InputError(f"the strength of the penalty is {strength}; give one above 0")
        self._features, self._categorical, self._numeric = features, categorical, numeric
        self._folds, self._strength = folds, strength
        self._sample = ClickSample(rows, seed)
        self._kinds: Kinds | None = None

    def add(
        self,
        frame: pl.DataFrame,
        click: ArrayLike,
        unit: ArrayLike,
        weight: ArrayLike | None = None,
    ) -> None:
        """Add impressions: a frame of n rows, and shapes `(n,)`.

        Raises `InputError` for features that are neither categories nor numbers or not those of
        the frames before, for shapes that differ and values out of range.
        """
        if self._kinds is None:
            self._kinds = feature_kinds(
                frame.schema, self._features, categorical=self._categorical, numeric=self._numeric
            )
        clicked = as_labels("click", click, frame.height)
        units = as_units("unit", unit, frame.height)
        w = np.ones(frame.height)
        if weight is not None:
            w = in_range("weight", weight, 0.0, np.inf, frame.height).astype(np.float64)
        self._sample.add(typed_features(self._kinds, frame), clicked, units, w)

    def fit(self) -> FittedPropensity:
        """The models of all folds.

        Raises `InputError` where some fold leaves no click, or nothing but clicks, to learn from.
        """
        if self._kinds is None:
            raise InputError("there are no rows to fit a propensity on; add some")
        sample = self._sample.frame()
        weight = sample[WEIGHT].to_numpy()
        encoding = Encoding.learn(sample, self._kinds, weight)
        matrix, click = encoding.matrix(sample), sample[CLICK].to_numpy()
        fold = fold_of(sample[UNIT].to_numpy(), self._folds)
        # Scaled to the rows that are there: the penalty weighs against what is known.
        weight = weight * (weight.size / weight.sum())
        models = []
        for k in range(self._folds):
            rows = np.flatnonzero((fold != k) & (weight > 0.0))
            models.append(fit_logistic(matrix[rows], click[rows], weight[rows], self._strength))
        return FittedPropensity(encoding, tuple(models), self._folds)


@dataclass(frozen=True)
class FittedPropensity:
    """The models of all folds; each scores the units that it has not seen.

    Attributes:
        encoding: what features become.
        models: model k learned from all folds but k.
    """

    encoding: Encoding
    models: tuple[LogisticModel, ...]
    folds: int

    def predict(self, frame: pl.DataFrame, unit: ArrayLike) -> Floats:
        """P(click | features) of each row, in (0, 1), shape `(n,)`; levels never seen are pooled.

        Raises `InputError` for features that are missing, and shapes that differ.
        """
        fold = fold_of(as_units("unit", unit, frame.height), self.folds)
        found = np.empty(frame.height)
        for start in range(0, frame.height, CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            matrix = self.encoding.matrix(frame[rows])
            of_row = fold[rows]
            logit = np.empty(of_row.size)
            for k, model in enumerate(self.models):
                mine = np.flatnonzero(of_row == k)
                logit[mine] = model.logit(matrix[mine])
            found[rows] = sigmoid(logit)
        return found


def fit_propensity(
    frame: pl.DataFrame,
    click: ArrayLike,
    unit: ArrayLike,
    weight: ArrayLike | None = None,
    **settings: Any,
) -> Floats:
    """Cross-fitted P(click | features) of the rows of one frame, shape `(n,)`.

    `settings` are those of `PropensityFit`, and so are the errors.

    >>> click = np.arange(400) % 4 == 0
    >>> found = fit_propensity(pl.DataFrame({"x": click * 1.0}), click, np.arange(400))
    >>> bool(found[click].min() > 0.8), bool(found[~click].max() < 0.2)
    (True, True)
    """
    fit = PropensityFit(**settings)
    fit.add(frame, click, unit, weight)
    return fit.fit().predict(frame, unit)


def fold_of(unit: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """The fold of each unit, the same in every frame and process; shape `(n,)`.

    >>> fold_of(np.array([0, 1, 0]), 5).tolist()[::2], len(set(fold_of(np.arange(99), 5).tolist()))
    ([0, 0], 5)
    """
    # Neighbouring units, such as those of one day, are to fall into different folds.
    mixed = unit.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed >> np.uint64(33)) % np.uint64(folds)).astype(np.int64)
