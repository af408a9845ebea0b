"""Mean CVR, PCOC, NLL and AUC over all impressions, from clicked rows and a propensity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from postclick.errors import InputError
from postclick.judging.entire.assumptions import ASSUMPTIONS, SUMMARY, Estimator
from postclick.judging.entire.cautions import cautions
from postclick.judging.entire.estimate import Estimate, Scale, estimate, undefined
from postclick.judging.entire.inputs import ClickedRows, UnitTotals
from postclick.judging.entire.means import Mean, mean_cvr, mean_over_all, nll, pcoc
from postclick.judging.entire.ranking import robust_ranking, weighted_ranking
from postclick.judging.entire.weights import CLIP, InverseWeights, inverse_weights

METRICS = ("mean_cvr", "pcoc", "nll", "auc")
ESTIMATORS: tuple[Estimator, ...] = ("snipw", "dr")
SCALES: dict[str, Scale] = {"mean_cvr": "log", "pcoc": "log", "nll": "log", "auc": "logit"}


@dataclass(frozen=True)
class EntireEstimates:
    """Estimates of one model's pCVR over all impressions, and what they rest on.

    Attributes:
        estimates: one for each of `METRICS` by each of `ESTIMATORS`.
        impressions: how many there are, clicked or not; `mean_pcvr` over them.
        clicked: clicked rows.
        units: units that have impressions; intervals rest on these.
        weights: of the clicked rows, with clip, clip shares and effective sample sizes.
        weight_per_impression: sum of 1 / propensity over impressions: 1 if propensities are right
            on average and none was clipped.
        level: of the intervals.
        cautions: what the weights tell against the estimates, in words.
    """

    estimates: tuple[Estimate, ...]
    impressions: float
    mean_pcvr: float
    clicked: int
    units: int
    weights: InverseWeights
    weight_per_impression: float
    level: float
    cautions: tuple[str, ...] = ()

    def get(self, metric: str, estimator: Estimator) -> Estimate:
        """The estimate of one metric by one estimator; `KeyError` if there is none."""
        for one in self.estimates:
            if (one.metric, one.estimator) == (metric, estimator):
                return one
        raise KeyError((metric, estimator))

    def as_dict(self) -> dict[str, Any]:
        """As written to JSON: figures by metric and estimator, assumptions by estimator."""
        weights = self.weights
        return {
            "impressions": self.impressions,
            "mean_pcvr": self.mean_pcvr,
            "clicked": self.clicked,
            "conversions": weights.conversions,
            "units": self.units,
            "level": self.level,
            "clip": weights.clip,
            "clipped_share": weights.clipped_share,
            "clipped_weight_share": weights.clipped_weight_share,
            "effective_sample_size": weights.effective_sample_size,
            "effective_conversions": weights.effective_conversions,
            "weight_per_impression": self.weight_per_impression,
            "cautions": list(self.cautions),
            "estimators": {
                name: {"summary": SUMMARY[name], "assumption": ASSUMPTIONS[name]}
                for name in ESTIMATORS
            },
            "estimates": {
                metric: {name: self.get(metric, name).as_dict() for name in ESTIMATORS}
                for metric in METRICS
            },
        }


def estimate_entire(
    clicked: ClickedRows, everyone: UnitTotals, *, clip: float = CLIP, level: float = 0.95
) -> EntireEstimates:
    """What a model's pCVR would score on all impressions, had each shown whether it converts.

    Conversions are seen on clicked rows only. `snipw` weighs these by 1 / propensity, weights
    scaled to a sum of 1; `dr` predicts all impressions by the judged model and corrects it by its
    weighted errors on clicked rows. Each metric (mean CVR; PCOC = mean pCVR / mean CVR; NLL; AUC)
    is estimated by both. None can be better than its assumption, which each carries in words.

    Intervals are from linearised influences summed by unit, so that rows of a unit may depend on
    each other; the propensities count as known, which for fitted ones makes the intervals of
    `snipw` too wide rather than too narrow. The truth they mean is that of impressions like
    these; for the AUC of `dr`, of these very impressions.

    Args:
        clicked: the clicked rows; without conversions no metric is defined.
        everyone: sums over all impressions, those of the clicked rows among them.
        clip: lower propensities are raised to it: less variance, and a bias where many are.
        level: of the intervals.

    Raises:
        InputError: units of clicked rows that `everyone` has no impressions of, a clip or level
            out of range, and propensities of 0 with a clip of 0.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> busy = rng.random(40_000) < 0.5  # clicks often, converts often
    >>> propensity, cvr = np.where(busy, 0.4, 0.1), np.where(busy, 0.3, 0.1)
    >>> click = rng.random(40_000) < propensity
    >>> conversion = click & (rng.random(40_000) < cvr)
    >>> pcvr, unit = np.full(40_000, 0.25), np.arange(40_000) // 4
    >>> everyone = UnitTotals(units=10_000)
    >>> everyone.add(pcvr, unit)
    >>> clicked = ClickedRows.of(pcvr[click], conversion[click], propensity[click], unit[click])
    >>> found = estimate_entire(clicked, everyone)
    >>> mean = found.get("mean_cvr", "snipw")
    >>> f"{conversion[click].mean():.3f}, {mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f})"
    '0.263, 0.204 (0.195 to 0.213)'
    >>> round(found.get("pcoc", "dr").value, 2)
    1.23
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"the level is {level}; give one between 0 and 1, such as 0.95")
    weights = inverse_weights(clicked, clip)
    _match(clicked, everyone)
    impressions = everyone.impressions
    units = int(np.count_nonzero(everyone.size))
    total = float(weights.weight.sum())
    found = []
    for (metric, name), mean in _means(clicked, weights, everyone).items():
        if isinstance(mean, str):
            found.append(undefined(metric, name, mean))
        else:
            scale = SCALES[metric]
            found.append(estimate(metric, name, mean.value, mean.influence, units, scale, level))
    per_impression = total / impressions if impressions else 0.0
    ctr = float(clicked.weight.sum()) / impressions if impressions else 0.0
    return EntireEstimates(
        estimates=tuple(found),
        impressions=impressions,
        mean_pcvr=float(everyone.pcvr.sum()) / impressions if impressions else 0.0,
        clicked=len(clicked),
        units=units,
        weights=weights,
        weight_per_impression=per_impression,
        level=level,
        cautions=cautions(weights, per_impression, ctr),
    )


def _match(clicked: ClickedRows, everyone: UnitTotals) -> None:
    """Clicked rows are among everyone."""
    most = int(clicked.unit.max(initial=-1))
    if most >= everyone.units:
        raise InputError(
            f"a clicked row is of unit {most:,}, and there are totals of {everyone.units:,} units; "
            "make the totals for all units"
        )
    of_clicked = np.bincount(clicked.unit, clicked.weight, everyone.units)
    over = int(np.count_nonzero(of_clicked > everyone.size * (1.0 + 1e-9)))
    if over:
        raise InputError(
            f"{over:,} units have more clicked rows than impressions; add all impressions to the "
            "totals, the clicked ones too"
        )


def _means(
    clicked: ClickedRows, weights: InverseWeights, everyone: UnitTotals
) -> dict[tuple[str, Estimator], Mean | str]:
    """Each figure, or why it has none."""
    w, units = weights.weight, everyone.units
    if not w.any():
        return _nowhere("no clicked rows")
    if not w[clicked.conversion].any():
        return _nowhere(f"no conversions among {_clicked(clicked)}")
    found: dict[tuple[str, Estimator], Mean | str] = {}
    predicted = mean_over_all(everyone.pcvr, everyone.size)
    for name, mean in zip(ESTIMATORS, mean_cvr(clicked, w, everyone), strict=True):
        found["mean_cvr", name] = found["pcoc", name] = (
            f"the corrected mean CVR is not positive ({mean.value:.2g}): the weights are too "
            f"uneven for {weights.conversions:,} conversions"
        )
        if mean.value > 0.0:
            found["mean_cvr", name] = mean
            found["pcoc", name] = (
                pcoc(predicted, mean) if predicted.value else "pCVR is 0 on all impressions"
            )
    for name, mean in zip(ESTIMATORS, nll(clicked, w, everyone), strict=True):
        found["nll", name] = mean
    found["auc", "snipw"] = _ranked(weighted_ranking(clicked, w, units), clicked)
    found["auc", "dr"] = _ranked(robust_ranking(clicked, w, everyone), clicked)
    return found


def _nowhere(reason: str) -> dict[tuple[str, Estimator], Mean | str]:
    return {(metric, name): reason for metric in METRICS for name in ESTIMATORS}


def _ranked(ranking: Mean | None, clicked: ClickedRows) -> Mean | str:
    if ranking is None:
        return f"only one class among {_clicked(clicked)}"
    if not 0.0 < ranking.value < 1.0:
        return f"{ranking.value:.3g} by {_clicked(clicked)}, of which there is no interval"
    return ranking


def _clicked(clicked: ClickedRows) -> str:
    return f"{len(clicked):,} clicked row{'s' if len(clicked) != 1 else ''}"
