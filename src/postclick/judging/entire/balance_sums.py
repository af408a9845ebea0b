"""The placebo: do weighted clicks look like all impressions? Its sums over a log."""

from __future__ import annotations

from collections.abc import Collection
from math import sqrt

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from postclick.errors import InputError
from postclick.judging.entire.balance import Balance, Difference, feature_balance
from postclick.judging.entire.feature_sums import LevelSums, NumberSums
from postclick.judging.entire.kinds import Kinds, feature_kinds, typed_features
from postclick.judging.entire.weights import CLIP
from postclick.judging.value_names import OTHERS
from postclick.metrics.inputs import as_labels, in_range

# A level is compared from this share of all impressions on.
FREQUENT = 0.01
SUMS = ("size", "clicked", "weighted")
MEAN = "mean"


class BalanceSums:
    """Sums over a log, frame by frame, from which the balance of its features follows.

    A standardised mean difference (SMD) is `(mean of clicked - mean of all) / deviation of all`,
    of a level with share s of all impressions `(share of clicked - s) / sqrt(s (1 - s))`. Weights
    `1 / propensity` should carry it to 0: what moves clicks is then made up for. It cannot tell
    of causes that no feature shows.

    Source: Rosenbaum and Rubin, "Constructing a control group using multivariate matched sampling
    methods that incorporate the propensity score", 1985; Austin, "Balance diagnostics for
    comparing the distribution of baseline covariates between treatment groups in propensity-score
    matched samples", 2009.

    >>> frame = pl.DataFrame({"device": ["ios"] * 500 + ["android"] * 500})
    >>> click = np.arange(1_000) % np.repeat([4, 10], 500) == 0
    >>> sums = BalanceSums()
    >>> sums.add(frame, click, np.repeat([1 / 4, 1 / 10], 500))
    >>> (device,) = sums.balance().features
    >>> round(abs(device.before), 2), round(abs(device.after), 2), device.flagged
    (0.43, 0.0, False)
    """

    def __init__(
        self,
        features: Collection[str] | None = None,
        *,
        categorical: Collection[str] = (),
        numeric: Collection[str] = (),
        clip: float = CLIP,
    ) -> None:
        """`features` are all columns of the frames without; kinds as for `PropensityFit`."""
        if not 0.0 <= clip < 1.0:
            raise InputError(f"the clip is {clip}; give a least propensity, such as {CLIP}")
        self._features, self._categorical, self._numeric = features, categorical, numeric
        self._clip = clip
        self._kinds: Kinds | None = None
        self._levels: dict[str, LevelSums] = {}
        self._numbers: dict[str, NumberSums] = {}
        self._squares = 0.0
        self._weight = 0.0

    def add(
        self,
        frame: pl.DataFrame,
        click: ArrayLike,
        propensity: ArrayLike,
        weight: ArrayLike | None = None,
    ) -> None:
        """Add impressions: a frame of n rows, and shapes `(n,)`.

        The propensities of unclicked rows are not read. Raises `InputError` for features that
        are neither categories nor numbers or not those of the frames before, shapes that differ,
        values out of range, and clicked rows of propensity 0 where the clip is 0.
        """
        if self._kinds is None:
            self._kinds = feature_kinds(
                frame.schema, self._features, categorical=self._categorical, numeric=self._numeric
            )
            for name, kind in self._kinds.items():
                if kind != "number":
                    self._levels[name] = LevelSums(SUMS)
                if kind != "category":
                    self._numbers[name] = NumberSums(len(SUMS))
        n = frame.height
        clicked = as_labels("click", click, n)
        given = np.asarray(propensity)
        given = in_range("propensity", np.where(clicked, given, 1.0), 0.0, 1.0, n)
        size = np.ones(n)
        if weight is not None:
            size = in_range("weight", weight, 0.0, np.inf, n).astype(np.float64)
        used = np.maximum(given.astype(np.float64), self._clip)
        impossible = int(np.count_nonzero(used == 0.0))
        if impossible:
            raise InputError(
                f"the propensity is 0 on {impossible:,} of {n:,} rows, which were clicked; give a "
                f"clip above 0, such as {CLIP}"
            )
        of_clicked = size * clicked
        weighted = of_clicked / used
        self._weight += float(weighted.sum())
        self._squares += float(np.square(weighted).sum())
        features = typed_features(self._kinds, frame)
        sums = dict(zip(SUMS, (size, of_clicked, weighted), strict=True))
        for name, levels in self._levels.items():
            levels.add(pl.DataFrame({"level": features[name], **sums}), "level")
        for name, number in self._numbers.items():
            number.add(features[name], *sums.values())

    def merge(self, other: BalanceSums) -> BalanceSums:
        """Add the rows of `other`, which stays as it is; returns self.

        Raises `InputError` if the two are of other features or clips.
        """
        if other._kinds is None:
            return self
        if self._kinds is None:
            self._kinds = other._kinds
            self._levels = {name: LevelSums(SUMS) for name in other._levels}
            self._numbers = {name: NumberSums(len(SUMS)) for name in other._numbers}
        if (self._kinds, self._clip) != (other._kinds, other._clip):
            raise InputError("these sums are of other features or of another clip; merge like ones")
        for name, levels in self._levels.items():
            levels.merge(other._levels[name])
        for name, number in self._numbers.items():
            number.merge(other._numbers[name])
        self._weight += other._weight
        self._squares += other._squares
        return self

    def balance(self) -> Balance:
        """The balance of all features that can be compared.

        Left out are those without a frequent level, such as ids of many values, and numbers that
        do not vary. Without clicked rows there are none.
        """
        found = []
        for name, kind in (self._kinds or {}).items():
            parts = []
            if name in self._levels:
                parts += _of_levels(self._levels[name].frame())
            if name in self._numbers:
                parts += _of_number(self._numbers[name])
            if parts:
                found.append(feature_balance(name, kind, parts))
        size = self._weight**2 / self._squares if self._squares else 0.0
        return Balance(
            tuple(sorted(found, key=lambda one: (-abs(one.after), one.feature))),
            size,
            1.0 / sqrt(size) if size else None,
            self._clip,
        )


def _of_levels(sums: pl.DataFrame) -> list[Difference]:
    totals = sums.select(SUMS).sum().row(0)
    if not all(totals):
        return []
    shares = sums.select("level", *(pl.col(c) / t for c, t in zip(SUMS, totals, strict=True)))
    frequent = shares.filter(
        pl.col("size").is_between(FREQUENT, 1.0, closed="left") & (pl.col("level") != OTHERS)
    )
    found = []
    for level, size, clicked, weighted in frequent.sort("level").iter_rows():
        deviation = sqrt(size * (1.0 - size))
        before, after = ((share - size) / deviation for share in (clicked, weighted))
        found.append(Difference(level, before, after))
    return found


def _of_number(sums: NumberSums) -> list[Difference]:
    if not sums.size.all():
        return []
    of_all, before, after = sums.total / sums.size
    variance = sums.squares / sums.size[0] - of_all**2
    if not variance > 1e-12 * sums.squares / sums.size[0]:
        return []
    deviation = sqrt(variance)
    return [Difference(MEAN, *(float(one - of_all) / deviation for one in (before, after)))]
