"""Rows of a log as arrays: labels, what each model predicts, and what describes a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.judging.predicted.columns import KINDS

Floats = NDArray[Any]


@dataclass(frozen=True)
class Predicted:
    """What one model predicts of some rows, `(n,)` each, in [0, 1]; None where it does not.

    Numbers keep the precision that they came in: rounding would tie rows that a model ranks apart.

    Attributes:
        on_clicks: of pcvr and pctcvr those that are missing (NaN) on some rows without a click.

    >>> Predicted(np.array([0.5]), np.array([0.25]), None).complete().pctcvr
    array([0.125])
    """

    pctr: Floats | None
    pcvr: Floats | None
    pctcvr: Floats | None
    on_clicks: frozenset[str] = field(default=frozenset(), kw_only=True)

    def complete(self) -> Predicted:
        """With the third probability where pCTR and one of the others are there.

        A pCTCVR that some rows lack is left out, for its figures are of all rows.
        """
        pctr, pcvr, pctcvr, on_clicks = self.pctr, self.pcvr, self.pctcvr, self.on_clicks
        if pctcvr is None and pctr is not None and pcvr is not None and not on_clicks:
            pctcvr = np.multiply(pctr, pcvr, dtype=np.float64)
        elif pcvr is None and pctr is not None and pctcvr is not None:
            ratio = np.zeros(pctr.size)
            np.divide(pctcvr, pctr, out=ratio, where=pctr > 0, dtype=np.float64)
            pcvr = np.minimum(ratio, 1.0)
            on_clicks = on_clicks | {"pcvr"} if on_clicks else on_clicks
        pctcvr = None if "pctcvr" in on_clicks else pctcvr
        return Predicted(pctr, pcvr, pctcvr, on_clicks=on_clicks)

    def where(self, chosen: NDArray[np.bool_]) -> Predicted:
        """The rows at which `chosen` is true."""
        of = {k: p if (p := getattr(self, k)) is None else p[chosen] for k in KINDS}
        lacking = (k for k in self.on_clicks if (p := of[k]) is not None and np.isnan(p).any())
        return Predicted(**of, on_clicks=frozenset(lacking))


@dataclass(frozen=True)
class JudgedRows:
    """Some rows of a log, ready to be judged; shapes `(n,)`.

    Attributes:
        click, conversion: bool, conversions only where there are clicks.
        models: what each predicts, by name.
        unit: uint16, the unit that the row is drawn with: rows of a group share one.
        group: int64 hash of the group, 0 for none; None without groups.
        weight: float64, how many impressions each row stands for; None for one each.
        truth: the true CVR, or the potential conversion as bool; None where it is not known.
        propensity: the logged probability of a click.
        randomised: float64, 0 where the row was not shown at random, else the probability with
            which it was.
        values: the raw values of features, and of time and exposure, by their roles.
    """

    click: NDArray[np.bool_]
    conversion: NDArray[np.bool_]
    models: Mapping[str, Predicted]
    unit: NDArray[np.uint16]
    group: NDArray[np.int64] | None = None
    weight: Floats | None = None
    truth: Floats | None = None
    propensity: Floats | None = None
    randomised: Floats | None = None
    values: Mapping[str, pl.Series] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.click.size)

    def frame(self, prefix: str) -> pl.DataFrame:
        """The values whose roles begin so, as columns by what follows."""
        return pl.DataFrame(
            [
                values.alias(role.removeprefix(prefix))
                for role, values in self.values.items()
                if role.startswith(prefix)
            ]
        )

    def where(self, chosen: NDArray[np.bool_]) -> JudgedRows:
        """The rows at which `chosen`, bool `(n,)`, is true."""

        def of(array: Any) -> Any:
            return None if array is None else array[chosen]

        return JudgedRows(
            self.click[chosen],
            self.conversion[chosen],
            {name: one.where(chosen) for name, one in self.models.items()},
            self.unit[chosen],
            of(self.group),
            of(self.weight),
            of(self.truth),
            of(self.propensity),
            of(self.randomised),
            {name: one.filter(pl.Series(chosen)) for name, one in self.values.items()},
        )

    def weighing(self, factor: Floats) -> JudgedRows:
        """The same rows, each standing for `factor` times as many impressions."""
        weight = factor if self.weight is None else self.weight * factor
        return JudgedRows(**{**vars(self), "weight": np.asarray(weight, np.float64)})
