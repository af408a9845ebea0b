"""Estimates over all impressions and the placebo, gathered while a log is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.judging.entire import (
    BalanceSums,
    ClickedRows,
    UnitTotals,
    estimate_entire,
)
from postclick.judging.predicted import clicked as seen
from postclick.judging.predicted.rows import JudgedRows, Predicted
from postclick.judging.predicted.units import UNITS
from postclick.judging.value_names import MISSING

# Whose propensities clicked rows are weighed by: a column or a fit, or each model's own pCTR.
OWN = "pctr"


class WholeSpace:
    """What no label shows, estimated from clicked rows and a propensity.

    Every model is weighed by the propensity of the rows, where they have one, else by its pCTR.
    """

    def __init__(self, models: Sequence[str], source: str, clip: float, level: float) -> None:
        """`source` says where propensities come from, in words."""
        self._models, self._source, self._clip, self._level = models, source, clip, level
        self._totals = {name: UnitTotals(UNITS) for name in models}
        self._partly: set[str] = set()
        self._balance = BalanceSums(clip=clip)
        self._compared = False

    def add(self, rows: JudgedRows, models: Mapping[str, Predicted]) -> None:
        """Add some rows, with their raw features."""
        for name, model in models.items():
            if "pcvr" in model.on_clicks:
                self._partly.add(name)
            elif model.pcvr is not None:
                self._totals[name].add(model.pcvr, rows.unit, rows.weight)
        propensity = rows.propensity
        if propensity is None:
            known = (models[name].pctr for name in self._models)
            propensity = next((one for one in known if one is not None), None)
        features = {
            role.partition(" ")[2]: values
            for role, values in rows.values.items()
            if role.startswith(("by ", "feature "))
        }
        if features and propensity is not None:
            self._compared = True
            frame = pl.DataFrame([_comparable(v).alias(name) for name, v in features.items()])
            self._balance.add(frame, rows.click, propensity, rows.weight)

    def estimates(self, clicked: seen.ClickedRows) -> dict[str, Any] | None:
        """By model, and what the propensities are; None where no model can be estimated.

        Models whose pCVR is not known of every row are left out.
        """
        found = {}
        for name in self._models:
            propensity = clicked.propensity
            if propensity is None:
                propensity = clicked.pctr.get(name)
            if propensity is None or name not in clicked.pcvr or name in self._partly:
                continue
            rows = ClickedRows.of(
                clicked.pcvr[name],
                clicked.conversion,
                propensity,
                clicked.unit.astype(np.int64),
                clicked.weight,
            )
            estimates = estimate_entire(
                rows, self._totals[name], clip=self._clip, level=self._level
            )
            found[name] = estimates.as_dict()
        return {"propensity": self._source, "models": found} if found else None

    def balance(self) -> dict[str, Any] | None:
        """Of the features that were given; None without."""
        return self._balance.balance().as_dict() if self._compared else None


def _comparable(values: pl.Series) -> pl.Series:
    """Dates and moments as categories: by the day, the hour or whatever they tell."""
    return values.cast(pl.String) if values.dtype.is_temporal() else values


def fitted_source(features: Sequence[str]) -> str:
    """A fitted propensity in words.

    >>> fitted_source(["shop", "hour"])
    'fitted here, cross-fitted logistic regression on shop, hour'
    """
    return f"fitted here, cross-fitted logistic regression on {', '.join(features)}"


def by_exposure(
    names: Sequence[str], code: NDArray[np.int64], rows: NDArray[np.int64], clicks: NDArray[Any]
) -> tuple[NDArray[Any], dict[Any, float]]:
    """The exposure of each clicked row, as a number where all are, and the CTR of each value.

    Args:
        names: of the values; code: `(n,)`, which each clicked row has; rows, clicks: by value.

    >>> found = by_exposure(["1", "2"], np.array([1, 0]), np.array([10, 20]), np.array([5, 4]))
    >>> found[0].tolist(), found[1]
    ([2.0, 1.0], {1.0: 0.5, 2.0: 0.2})
    """
    known = [None if name == MISSING else name for name in names]
    texts = pl.Series(known, dtype=pl.String)
    numbers = texts.cast(pl.Float64, strict=False)
    words = numbers.null_count() > texts.null_count()
    values = np.array(known, dtype=object) if words else numbers.to_numpy()
    ctr = {
        value.item() if hasattr(value, "item") else value: float(c) / float(n)
        for value, n, c in zip(values, rows, clicks, strict=True)
        if n > 0 and value is not None and value == value
    }
    return values[code], ctr
