"""Plain logistic regression on a sparse matrix, as scikit-learn fits it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.errors import InputError
from postclick.judging.entire.inputs import Floats

# Steps of the solver; it stops before, at its usual tolerance.
MOST_STEPS = 300


@dataclass(frozen=True)
class LogisticModel:
    """The logit of a probability is `features @ coefficients + intercept`.

    >>> LogisticModel(np.array([0.5]), -1.0).logit(np.array([[2.0]]))
    array([0.])
    """

    coefficients: Floats
    intercept: float

    def logit(self, matrix: Any) -> Floats:
        """Of each row of a matrix, sparse or not, of shape `(n, features)`; shape `(n,)`."""
        return np.asarray(matrix @ self.coefficients + self.intercept)


def fit_logistic(
    matrix: Any, click: NDArray[np.bool_], weight: Floats, strength: float
) -> LogisticModel:
    """The least of `sum w cross_entropy + strength / 2 |coefficients|^2`, the intercept free.

    Shapes: `(n, features)`, a `scipy.sparse.csr_array` or an array, and `(n,)`. Raises `InputError`
    where all rows are clicked or none.

    >>> x, click = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([False, True, True, True])
    >>> fit_logistic(x, click, np.ones(4), 1e-6).logit(x)[0].round(2) == 0.0
    np.True_
    """
    from sklearn.linear_model import LogisticRegression

    clicks = int(np.count_nonzero(click))
    if clicks in (0, click.size):
        what = "no row" if clicks == 0 else "every row"
        raise InputError(
            f"a propensity cannot be fitted: {what} is clicked among the {click.size:,} that a "
            "fold leaves; give more rows or fewer folds, or a logged propensity"
        )
    model = LogisticRegression(C=1.0 / strength, max_iter=MOST_STEPS)
    model.fit(matrix, click, sample_weight=weight)
    return LogisticModel(model.coef_[0].astype(np.float64), float(model.intercept_[0]))
