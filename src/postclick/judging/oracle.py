"""What perfect predictions would score on a split, and how much of that a model reaches."""

import numpy as np
from numpy.typing import NDArray

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.labels import split_labels
from postclick.metrics.catalogue import Figure, badness, figure_named
from postclick.metrics.metric import MetricValue
from postclick.metrics.sums import EvaluationSums

# Beyond the logit of every float32 strictly between 0 and 1 (the least is near -103.3): what is
# certain ranks outermost and stays finite.
CERTAIN = 104.0
CHUNK_ROWS = 1 << 20
# Differences below this, in AUC or nats, are rounding.
NEGLIGIBLE = 1e-12


def oracle_metrics(log: PreparedLog, split: str) -> list[MetricValue]:
    """Every metric with the true CVR as pCVR and the true CTR as pCTR, in the registry's order.

    Labels are those of the split, so these values share its noise and compare with a model's on
    the same rows. `true_cvr_nll` is the mean entropy of the true CVR and `true_cvr_auc` counts a
    row as `r` positive and `1 - r` negative, both against the true CVR `r`. Where a confounder is
    hidden, the truth knows more than the features: no model can reach it. Without a true CTR the
    metrics of pCTR and pCTCVR are left out.

    Raises:
        InputError: the split has no true CVR, or not on all rows; or it cannot be read.

    >>> import tempfile
    >>> from postclick import prepare, simulate
    >>> from postclick.data.read.log_source import FrameSource
    >>> from postclick.data.splits import LogSplits
    >>> raw = simulate("confounded", rows=2_000, ctr=0.3, cvr=0.3, users=50, items=20)
    >>> splits = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = oracle_metrics(prepare(splits, f"{folder}/data"), "test")
    >>> [m.space for m in found if m.metric == "cvr_bias" and abs(m.value) < 1e-12]
    ['clicked', 'unclicked', 'entire']
    """
    labels = split_labels(log, split)
    n = labels.click.size
    cvr = labels.truth.get("true_cvr")
    if cvr is None:
        raise InputError(
            f"the {split} split has no true CVR, so no oracle; only logs whose conversion "
            "probabilities are known have one, such as simulated ones"
        )
    ctr = labels.truth.get("true_ctr")
    for name, values in (("true_cvr", cvr), ("true_ctr", ctr)):
        absent = 0 if values is None else int(np.count_nonzero(np.isnan(values)))
        if absent:
            raise InputError(
                f"{name} is missing on {absent:,} of {n:,} rows of the {split} split; "
                "an oracle needs it on all, prepare the log without the others"
            )
    sums = EvaluationSums()
    for start in range(0, n, CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        cvr_logit = _logit(cvr[rows])
        sums.update(
            np.zeros_like(cvr_logit) if ctr is None else _logit(ctr[rows]),
            cvr_logit,
            labels.click[rows],
            labels.conversion[rows],
            true_cvr=cvr[rows],
            group=None if labels.group is None else labels.group[rows],
            weight=None if labels.weight is None else labels.weight[rows],
        )
    return [
        value
        for value in sums.compute()
        if ctr is not None or figure_named(value.metric).quantity in ("cvr", "true_cvr")
    ]


def baseline_value(value: MetricValue) -> float | None:
    """What predicting the mean label for every row would score on the rows of `value`.

    .5 for AUC; for NLL the entropy of the base rate, `rows` and `positives` being those of the
    space: with the true CVR as label exactly the NLL of predicting its mean. None for metrics of
    calibration, which the mean fulfils by definition, and without rows.

    >>> round(baseline_value(MetricValue("cvr_nll", "clicked", 0.3, None, 100, 50.0)), 4)
    0.6931
    """
    metric = figure_named(value.metric).metric
    if not value.size or not metric.has_baseline:
        return None
    return metric.baseline(value.size, value.positives)


def share_of_gain(
    metric: str | Figure, value: float, oracle: float, baseline: float
) -> float | None:
    """How much of the way from predicting the mean to the oracle a model has gone.

    `(value - baseline) / (oracle - baseline)`: 0 is no better than the mean, 1 as good as the
    oracle; negative is worse than the mean. On finitely many recorded labels it can exceed 1.
    None where the oracle is not better than the baseline: then there is nothing to gain.

    Raises `InputError` for an unknown metric, one that is neither AUC nor NLL (the mean already
    has no bias), and NaN.

    >>> round(share_of_gain("cvr_auc", 0.65, oracle=0.80, baseline=0.5), 6)
    0.5
    >>> round(share_of_gain("true_cvr_nll", 0.25, oracle=0.24, baseline=0.28), 6)
    0.75
    >>> share_of_gain("cvr_nll", 0.25, oracle=0.30, baseline=0.28) is None
    True
    """
    entry = figure_named(metric) if isinstance(metric, str) else metric
    if not entry.metric.has_baseline:
        raise InputError(f"{entry.name} has no share of gain; give an AUC or NLL metric")
    most = badness(entry, baseline) - badness(entry, oracle)
    gained = badness(entry, baseline) - badness(entry, value)
    return gained / most if most > NEGLIGIBLE else None


def _logit(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    p = probability.astype(np.float64)
    with np.errstate(divide="ignore"):
        logit: NDArray[np.float64] = np.log(p) - np.log1p(-p)
    return np.clip(logit, -CERTAIN, CERTAIN)
