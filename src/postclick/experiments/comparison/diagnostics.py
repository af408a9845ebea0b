"""What the plots of a comparison need, computed once from predictions and labels.

diagnostics.json holds `format`, `split`, `rows`, `clicks`, `conversions`, `seed` (of the runs that
the curves are of), `truth` (the column that stands for it, or null), `propensity` (what the bias is
bucketed by), and `protocols`: name -> `methods` (label -> runs and curves), `differences` of
CVR-AUC to the best method, `simplest` the same to the simplest, and `intervals` of each method's
figures. Buckets are one list for each
field of `metrics.buckets.Bucket`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.data.manifest import POTENTIAL, TRUE_CTR, TRUE_CVR
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.intervals import LEVEL, over_impressions
from postclick.experiments.comparison.recommendation import simplest_of
from postclick.judging.labels import SplitLabels, split_labels
from postclick.logits import sigmoid
from postclick.methods.base import PropensityConfig
from postclick.metrics.auc import auc, weighted_auc
from postclick.metrics.buckets import Bucket, by_bucket
from postclick.metrics.likelihood import log_ctcvr
from postclick.metrics.propensity import effective_sample_size, overlap_histogram
from postclick.metrics.roc import roc_points
from postclick.runs.run import Run
from postclick.stats.delong import auc_difference
from postclick.stats.structural_components import auc_error_undefined

DIAGNOSTICS, FORMAT = "diagnostics.json", 1
# Protocol -> label of an arm -> its runs below the comparison's folder, by seed.
RunFolders = Mapping[str, Mapping[str, Sequence[str]]]
Values = NDArray[Any]


def diagnose(log: PreparedLog, split: str, folder: Path, folders: RunFolders) -> dict[str, Any]:
    """Curves of the first seed's runs; differences of CVR-AUC and intervals over all seeds.

    Every run in `folders` must have kept its predictions on `split`. The CVR logits of one method
    are in memory at a time, beside those of clicked rows for two.

    Raises:
        InputError: predictions are missing, or labels cannot be read.
    """
    labels = split_labels(log, split)
    truth = next((name for name in (TRUE_CVR, POTENTIAL) if name in labels.truth), None)
    has_true_ctr = TRUE_CTR in labels.truth
    return {
        "format": FORMAT,
        "split": split,
        "rows": labels.click.size,
        "clicks": int(labels.click.sum()),
        "conversions": int(labels.conversion.sum()),
        "seed": 0,
        "truth": truth,
        "propensity": "true CTR" if has_true_ctr else "reference pCTR",
        "protocols": {
            name: _protocol(labels, truth, split, folder, runs) for name, runs in folders.items()
        },
    }


def _protocol(
    labels: SplitLabels,
    truth: str | None,
    split: str,
    folder: Path,
    runs: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    differences = _differences(labels, split, folder, runs)
    simplest = simplest_of(list(runs))
    to_simplest = differences
    if differences["best"] not in (None, simplest):
        to_simplest = _differences(labels, split, folder, runs, simplest)
    return {
        "methods": _curves(labels, truth, split, folder, runs),
        "differences": differences,
        "simplest": to_simplest,
        "intervals": over_impressions(labels, truth, split, folder, runs, differences["best"]),
    }


def _curves(
    labels: SplitLabels,
    truth: str | None,
    split: str,
    folder: Path,
    runs: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    reference = np.zeros(labels.click.size)
    for folders in runs.values():
        reference += sigmoid(_column(folder / folders[0], split, "ctr_logit")) / len(runs)
    found = {}
    for method, folders in runs.items():
        first = folder / folders[0]
        curves = _recorded(Run(first), split, labels, reference)
        if truth is not None:
            curves |= _true(first, split, labels, truth, reference)
        found[method] = {"runs": list(folders), **curves}
    return found


def _recorded(run: Run, split: str, labels: SplitLabels, reference: Values) -> dict[str, Any]:
    """What recorded labels show of a run."""
    kept, c, v = run.predictions(split), labels.click, labels.conversion
    ctr_logit, cvr_logit = kept["ctr_logit"].to_numpy(), kept["cvr_logit"].to_numpy()
    both = kept["log_ctcvr"].to_numpy() if "log_ctcvr" in kept.columns else None
    both = log_ctcvr(ctr_logit, cvr_logit)[0] if both is None else both
    pctr, pcvr = sigmoid(ctr_logit), sigmoid(cvr_logit[c])
    config = run.settings.method_config
    clip = config.clip if isinstance(config, PropensityConfig) else None
    w = labels.weight
    of_click = None if w is None else w[c]
    overlap = overlap_histogram(pctr, c, clip=clip, weight=w)
    weights = None if clip is None else 1 / pctr[c].clip(*clip)
    weights = weights if weights is None or of_click is None else weights * of_click
    return {
        "roc_cvr": _roc(cvr_logit[c], v[c], of_click),
        "roc_ctcvr": _roc(both, v, w),
        "calibration": _buckets(by_bucket(pcvr, pcvr, v[c], weight=of_click)),
        "pcoc_own": _buckets(by_bucket(pctr[c], pcvr, v[c], weight=of_click)),
        "pcoc_reference": _buckets(by_bucket(reference[c], pcvr, v[c], weight=of_click)),
        "overlap": {
            "edges": _short(overlap.edges),
            "clicked": _short(overlap.clicked),
            "unclicked": _short(overlap.unclicked),
            "clip": clip,
            "clip_share": overlap.clip_share,
            "effective_sample_size": None if weights is None else effective_sample_size(weights),
        },
    }


def _true(
    run: Path, split: str, labels: SplitLabels, truth: str, reference: Values
) -> dict[str, Any]:
    """What known truth shows of a run."""
    pcvr = sigmoid(_column(run, split, "cvr_logit"))
    true_cvr, c, w = labels.truth[truth], labels.click, labels.weight

    def calibration(rows: Values) -> dict[str, list[Any]]:
        of_row = None if w is None else w[rows]
        return _buckets(by_bucket(pcvr[rows], pcvr[rows], true_cvr[rows], weight=of_row))

    return {
        "bias_by_propensity": _buckets(
            by_bucket(labels.truth.get(TRUE_CTR, reference), pcvr, true_cvr, weight=w)
        ),
        "true_calibration": {"clicked": calibration(c), "unclicked": calibration(~c)},
    }


def _differences(
    labels: SplitLabels,
    split: str,
    folder: Path,
    runs: Mapping[str, Sequence[str]],
    against: str | None = None,
) -> dict[str, Any]:
    """CVR-AUC of each method minus that of `against`, on clicked rows, over all seeds.

    `against` is the best by mean if it is not given.

    With DeLong's interval: by group where the log has groups, rows counted by their weights.
    """
    c = labels.click
    v = labels.conversion[c]
    group = None if labels.group is None else labels.group[c]
    w = None if labels.weight is None else labels.weight[c]
    reason = auc_error_undefined(v, group, w)
    if reason is not None:
        counted = v if w is None else v[w > 0]
        positives = int(counted.sum())
        if min(positives, counted.size - positives) < 2:
            told = f"{positives} of {counted.size} clicked rows converted"
            reason = f"{told}: two of each kind are needed"
        return {"best": None, "level": LEVEL, "methods": {}, "undefined": reason}

    def scores(method: str) -> list[Values]:
        return [_column(folder / name, split, "cvr_logit")[c] for name in runs[method]]

    def value(score: Values) -> float | None:
        return auc(score, v) if w is None else weighted_auc(score, w * v, w * ~v)

    if against is None:
        means = {method: np.mean([value(score) for score in scores(method)]) for method in runs}
        against = max(means, key=lambda method: float(means[method]))
    held = scores(against)
    methods = {}
    for method in runs:
        if method != against:
            d = auc_difference(scores(method), held, v, LEVEL, group=group, weight=w)
            methods[method] = {
                "difference": d.difference,
                "standard_error": d.standard_error,
                "low": d.low,
                "high": d.high,
                "p": d.p,
            }
    return {"best": against, "level": LEVEL, "methods": methods, "undefined": None}


def _column(run: Path, split: str, name: str) -> Values:
    kept: pl.DataFrame = Run(run).predictions(split)
    return kept[name].to_numpy()


def _roc(score: Values, label: Values, weight: Values | None) -> dict[str, list[float]] | None:
    """Points of the curve; none where labels are of one class."""
    counted = label if weight is None else label[weight > 0]
    if not 0 < counted.sum() < counted.size:
        return None
    fpr, tpr = roc_points(score, label, weight=weight)
    return {"fpr": _short(fpr), "tpr": _short(tpr)}


def _buckets(buckets: Sequence[Bucket]) -> dict[str, list[Any]]:
    """Their weights are left out where rows have none."""
    names = [f.name for f in fields(Bucket)]
    if all(bucket.weight is None for bucket in buckets):
        names.remove("weight")
    return {name: _short([getattr(b, name) for b in buckets]) for name in names}


def _short(values: Iterable[Any]) -> list[Any]:
    """Numbers with the six digits that a plot can show."""
    return [float(f"{x:.6g}") if isinstance(x, float) else x for x in values]
