"""How far other test impressions could have moved the figures of a comparison's methods."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.judging.labels import SplitLabels
from postclick.metrics.catalogue import figure_named
from postclick.metrics.metric import Space
from postclick.runs.run import Run
from postclick.stats.bootstrap import bootstrap_difference, bootstrap_intervals
from postclick.stats.delong import auc_interval
from postclick.stats.interval import Interval
from postclick.stats.structural_components import auc_error_undefined

LEVEL, RESAMPLES = 0.95, 200
# What has an interval. Those of all impressions only where truth is known: simulated logs are not
# so large that resampling them would cost more than a few per cent of a comparison.
RECORDED = ("cvr_auc", "cvr_nll", "cvr_pcoc")
AGAINST_TRUTH = ("true_cvr_nll", "cvr_bias")
Values = NDArray[Any]


def over_impressions(
    labels: SplitLabels,
    truth: str | None,
    split: str,
    folder: Path,
    runs: Mapping[str, Sequence[str]],
    best: str | None,
) -> dict[str, Any]:
    """Intervals of each method's figures, means over its seeds, and of its gain in NLL over `best`.

    The trained models are taken as given: only the impressions are drawn again, whole groups of
    them where the log has groups; rows keep their weights. AUC has DeLong's interval, by group
    there. The runs must have kept their predictions; one method is in memory at a time, beside the
    clicked rows of `best`.

    Args:
        truth: the column that stands for the true CVR, or `None`.
        runs: run folders of each method, by seed.
    """
    c, group, weight = labels.click, labels.group, labels.weight
    v, of_click = labels.conversion[c], None if group is None else group[c]
    on_click = None if weight is None else weight[c]
    held = [] if best is None else [scores[c] for scores in _scores(folder, split, runs[best])]
    methods = {}
    for method, folders in runs.items():
        scores = _scores(folder, split, folders)
        clicked = [one[c] for one in scores]
        found = _intervals(RECORDED, "clicked", clicked, v, of_click, on_click)
        if truth is not None:
            true = labels.truth[truth]
            found += _intervals(AGAINST_TRUTH, "entire", scores, true, group, weight)
        gain = None
        if held and method != best:
            gain = bootstrap_difference(
                "nll",
                clicked,
                held,
                v,
                group=of_click,
                by_group=group is not None,
                weight=on_click,
                resamples=RESAMPLES,
                level=LEVEL,
            ).gain
        methods[method] = {
            "figures": found,
            "nll_gain": None if gain is None else _ends(gain),
        }
    drawn = "impressions" if group is None else "groups"
    return {
        "level": LEVEL,
        "resamples": RESAMPLES,
        "drawn": drawn,
        "best": best,
        "methods": methods,
    }


def _intervals(
    names: Sequence[str],
    space: Space,
    scores: list[Values],
    label: Values,
    group: NDArray[np.int64] | None,
    weight: NDArray[np.float32] | None,
) -> list[dict[str, Any]]:
    """An entry for each figure that is defined on these rows."""
    known = ~np.isnan(label) if label.dtype.kind == "f" else np.ones(label.size, np.bool_)
    if not known.all():
        scores, label = [one[known] for one in scores], label[known]
        group = None if group is None else group[known]
        weight = None if weight is None else weight[known]
    found: dict[str, Interval | None] = {}
    for name in names:
        if figure_named(name).metric.interval == "delong":
            defined = auc_error_undefined(label, group, weight) is None
            options: dict[str, Any] = {"group": group, "weight": weight}
            found[name] = auc_interval(scores, label, LEVEL, **options) if defined else None
    drawn = [name for name in names if name not in found]
    several = bootstrap_intervals(
        [figure_named(name).metric for name in drawn],
        scores,
        label,
        group=group,
        by_group=group is not None,
        weight=weight,
        resamples=RESAMPLES,
        level=LEVEL,
    )
    found |= dict(zip(drawn, several, strict=True))
    return [
        {"metric": name, "space": space, **_ends(interval)}
        for name in names
        if (interval := found[name]) is not None
    ]


def _ends(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _scores(folder: Path, split: str, folders: Sequence[str]) -> list[Values]:
    """CVR logits of every row, a vector for each seed."""
    return [Run(folder / run).predictions(split)["cvr_logit"].to_numpy() for run in folders]
