"""Whether the methods that are best over seeds are so over test rows, too."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.data.manifest import POTENTIAL, TRUE_CVR
from postclick.experiments.comparison.summary import Gain, Row, RowTest, Summary
from postclick.judging.labels import SplitLabels
from postclick.metrics.catalogue import figure_named
from postclick.metrics.likelihood import log_complement, log_ctcvr
from postclick.metrics.metric import Metric, Quantity
from postclick.runs.run import Run
from postclick.stats.bootstrap import bootstrap_differences
from postclick.stats.delong import AucDifference, auc_difference
from postclick.stats.soft_auc import both_classes, soft_auc_difference
from postclick.stats.structural_components import auc_error_undefined

LEVEL, RESAMPLES = 0.95, 500
Values = NDArray[Any]
# Logits beyond these are as certain as float64 can tell.
_CERTAIN = 700.0


def over_rows(
    summary: Summary,
    labels: SplitLabels,
    folder: Path,
    runs: Mapping[str, Sequence[str]],
) -> Summary:
    """The summary with the test over rows of every method that the seeds support as best.

    Its gain over each other method is taken on the same rows, the mean over seeds: of an AUC by
    DeLong's formula, of anything else by the bootstrap; whole groups are drawn where the log has
    them, and rows keep their weights. The trained models are taken as given. Where the seeds
    support nobody, nothing is tested. Two methods are in memory at a time.

    Args:
        runs: run folders of each method below `folder`, by seed; they have kept predictions.

    Raises:
        InputError: predictions are missing.
    """
    # What is judged on the same rows, with the same pairs of methods, is drawn together.
    alike: dict[tuple[Quantity, str, str], list[Row]] = defaultdict(list)
    for row in summary.rows:
        if row.best_over_seeds is not None:
            quantity = figure_named(row.metric).quantity
            alike[quantity, row.space, row.best_over_seeds].append(row)
    tested: dict[tuple[str, str], RowTest] = {}
    split = str(summary.protocol["split"])
    for (quantity, space, best), rows in alike.items():
        chosen, label = _judged(labels, quantity, space)
        held = _scores(folder, split, runs[best], quantity, chosen)
        gains: dict[str, dict[str, Gain | None]] = {row.metric: {} for row in rows}
        for other in summary.methods:
            if other != best:
                scores = _scores(folder, split, runs[other], quantity, chosen)
                for name, gain in _gains(rows, held, scores, label, labels, chosen):
                    gains[name][other] = gain
        drawn = "impressions" if labels.group is None else "groups"
        for row in rows:
            tested[row.metric, row.space] = RowTest(LEVEL, drawn, gains[row.metric])
    return replace(
        summary,
        rows=tuple(
            replace(row, over_rows=tested.get((row.metric, row.space))) for row in summary.rows
        ),
    )


def _judged(labels: SplitLabels, quantity: Quantity, space: str) -> tuple[Values, Values]:
    """Which rows the figures are of, and their labels."""
    c = labels.click
    chosen = {"clicked": c, "unclicked": ~c, "entire": np.ones(c.size, np.bool_)}[space]
    if quantity == "ctr":
        return chosen, c[chosen]
    if quantity != "true_cvr":
        return chosen, labels.conversion[chosen]
    true = labels.truth[TRUE_CVR if TRUE_CVR in labels.truth else POTENTIAL]
    chosen = chosen & ~np.isnan(true)
    return chosen, true[chosen]


def _scores(
    folder: Path, split: str, runs: Sequence[str], quantity: Quantity, chosen: Values
) -> list[Values]:
    """Logits of the chosen rows, a vector for each seed."""
    return [_logits(Run(folder / run), split, quantity)[chosen] for run in runs]


def _logits(run: Run, split: str, quantity: Quantity) -> Values:
    kept = run.predictions(split)
    if quantity != "ctcvr":
        return kept["ctr_logit" if quantity == "ctr" else "cvr_logit"].to_numpy()
    if "log_ctcvr" in kept.columns:
        log_t = kept["log_ctcvr"].to_numpy().astype(np.float64)
        log_rest = log_complement(log_t)
    else:
        log_t, log_rest = log_ctcvr(kept["ctr_logit"].to_numpy(), kept["cvr_logit"].to_numpy())
    return np.clip(log_t - log_rest, -_CERTAIN, _CERTAIN)


def _gains(
    rows: Sequence[Row],
    best: list[Values],
    other: list[Values],
    label: Values,
    labels: SplitLabels,
    chosen: Values,
) -> Iterator[tuple[str, Gain | None]]:
    """How much better the best is by each metric; None where these rows cannot tell."""
    group = None if labels.group is None else labels.group[chosen]
    weight = None if labels.weight is None else labels.weight[chosen]
    metrics: list[Metric[Any]] = [figure_named(row.metric).metric for row in rows]
    drawn = [(row, one) for row, one in zip(rows, metrics, strict=True) if one.interval != "delong"]
    for row, metric in zip(rows, metrics, strict=True):
        if metric.interval == "delong":
            found = _auc_difference(best, other, label, group, weight)
            gain = None if found is None else Gain(found.difference, found.low, found.high)
            yield row.metric, gain
    several = bootstrap_differences(
        [metric for _, metric in drawn],
        best,
        other,
        label,
        group=group,
        by_group=group is not None,
        weight=weight,
        resamples=RESAMPLES,
        level=LEVEL,
    )
    for (row, _), one in zip(drawn, several, strict=True):
        gain = None if one is None else Gain(one.gain.value, one.gain.low, one.gain.high)
        yield row.metric, gain


def _auc_difference(
    a: list[Values],
    b: list[Values],
    label: Values,
    group: NDArray[np.int64] | None,
    weight: NDArray[np.float32] | None,
) -> AucDifference | None:
    if label.dtype.kind == "f" and ((label > 0) & (label < 1)).any():
        hard, unit, mass = both_classes(label, group, weight)
        if auc_error_undefined(hard, unit, mass) is not None:
            return None
        return soft_auc_difference(a, b, label, LEVEL, group=group, weight=weight)
    if auc_error_undefined(label, group, weight) is not None:
        return None
    return auc_difference(a, b, label, LEVEL, group=group, weight=weight)
