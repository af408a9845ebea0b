"""A trained method judged on a split of a prepared log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from postclick.data.arrays import RowArrays
from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError
from postclick.judging.feature_values import feature_values
from postclick.judging.predictions import Predictions
from postclick.judging.segments import TOP, FeatureSegments, SegmentedRows
from postclick.methods.base import Method
from postclick.metrics.metric import MetricValue
from postclick.metrics.sums import EvaluationSums


@dataclass(frozen=True)
class PropensityCheck:
    """Held-out means that are 1 where the propensity pi is right (and nothing is clipped).

    Rows count by their weights, if they have some.

    Attributes:
        click_over_pi: mean of c / pi.
        unclick_over_rest: mean of (1 - c) / (1 - pi).
    """

    click_over_pi: float
    unclick_over_rest: float


@dataclass(frozen=True)
class Judgement:
    """All metrics of one split, and the propensity check for methods that use propensities.

    Attributes:
        by: the same metrics per value of each feature that was asked for.
        about: of a raw log its name, counts of its rows and what is odd about them.
        exposure_at: where pCTR was judged if not at each row's own exposure.
    """

    metrics: tuple[MetricValue, ...]
    propensity: PropensityCheck | None
    by: tuple[FeatureSegments, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    exposure_at: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As written to metrics.json, below the split's name."""
        found: dict[str, Any] = {
            **self.about,
            "metrics": [metric.as_dict() for metric in self.metrics],
        }
        if self.propensity is not None:
            found["propensity"] = asdict(self.propensity)
        if self.by:
            found["by"] = {one.feature: one.as_dict() for one in self.by}
        if self.exposure_at is not None:
            found["exposure_at"] = self.exposure_at
        return found

    def value(self, metric: str, space: str | None = None) -> float | None:
        """A metric's value; `None` if it is undefined or not measured."""
        for found in self.metrics:
            if found.metric == metric and (space is None or found.space == space):
                return found.value
        return None


def judge(
    method: Method[Any],
    log: PreparedLog,
    split: str,
    *,
    batch_size: int = 16_384,
    keep: Predictions | None = None,
    by: Sequence[str] = (),
    top: int = TOP,
) -> Judgement:
    """Score a split with `method` and compute every metric that its labels allow.

    Truth columns are used where the split has them; the method never sees them. Rows count by
    their weights, if the log has some. What is
    predicted for each row is added to `keep`, if given. Metrics, predictions and propensities are
    those of the split's own rows: if unclicked rows were sampled, that is the sample on the
    training split and all impressions on the others.

    Args:
        by: features, for each of whose values everything is measured as well.
        top: how many values of a categorical one are shown, by rows; the rest is one segment.

    Raises:
        RunFailedError: a logit is not finite.
        InputError: a feature is not one of the log's, or has several values for each impression.
    """
    features = [feature_values(log, name) for name in dict.fromkeys(by)]
    return judge_batches(
        method,
        log.sequential(split, batch_size),
        f"the {split} split",
        keep=keep,
        cut=SegmentedRows(features, top) if features else None,
        sampled=split == "train",
    )


@torch.inference_mode()
def judge_batches(
    method: Method[Any],
    batches: Iterable[tuple[Batch, RowArrays, Tensor]],
    where: str,
    *,
    keep: Predictions | None = None,
    cut: SegmentedRows | None = None,
    sampled: bool = False,
) -> Judgement:
    """`judge` on rows from anywhere.

    Args:
        batches: each with the arrays it came from, and its row numbers in them, a range.
        where: what messages call the rows.
        cut: takes in all rows, for the values of whose features everything is measured as well.
        sampled: the rows are those of a training split, which may lack unclicked ones.

    Raises:
        RunFailedError: a logit is not finite.
    """
    device = next(method.parameters()).device
    was_training = method.training
    method.eval()
    sums = EvaluationSums()
    over_pi = over_rest = mass = 0.0
    predict = method.predict_sampled if sampled else method.predict
    for batch, window, rows in batches:
        on_device = batch.to(device)
        prediction = predict(on_device)
        for head, logit in (("ctr", prediction.ctr), ("cvr", prediction.cvr)):
            if not logit.isfinite().all():
                raise RunFailedError(
                    f"the {head} head predicts NaN or infinity on {where}: the training run "
                    "diverged; lower training.lr or set training.clip_norm=1"
                )
        log_ctcvr = prediction.log_ctcvr
        taken = slice(int(rows[0]), int(rows[-1]) + 1)
        truth = {name: values[taken] for name, values in window.truth.items() if name != "true_ctr"}
        columns: dict[str, Any] = {
            "ctr_logit": prediction.ctr.cpu().numpy(),
            "cvr_logit": prediction.cvr.cpu().numpy(),
            "click": batch.click.numpy(),
            "conversion": batch.conversion.numpy(),
            "true_cvr": truth.get("true_cvr"),
            "potential_conversion": truth.get("potential_conversion"),
            "ctcvr_logprob": None if log_ctcvr is None else log_ctcvr.cpu().numpy(),
            "group": None if window.group is None else window.group[taken],
            "weight": None if window.weight is None else window.weight[taken].numpy(),
        }
        sums.update(**columns)
        if cut is not None:
            cut.add(window, taken, columns)
        if keep is not None:
            keep.add(prediction, _soft_label(method, on_device))
        if method.clip is not None:
            weighing = prediction.ctr if prediction.propensity is None else prediction.propensity
            pi = weighing.cpu().double().sigmoid().clamp(*method.clip)
            clicked, unclicked = batch.click / pi, (1 - batch.click) / (1 - pi)
            rows_seen = float(len(batch))
            if batch.weight is not None:
                weight = batch.weight.double()
                clicked, unclicked = clicked * weight, unclicked * weight
                rows_seen = float(weight.sum())
            over_pi += float(clicked.sum())
            over_rest += float(unclicked.sum())
            mass += rows_seen
    method.train(was_training)
    check = None
    if mass:
        check = PropensityCheck(over_pi / mass, over_rest / mass)
    return Judgement(tuple(sums.compute()), check, () if cut is None else cut.judged())


def _soft_label(method: Method[Any], batch: Batch) -> Tensor | None:
    """All heads are needed for it: left out where a method labels nothing."""
    if type(method).soft_label is Method.soft_label:
        return None
    return method.soft_label(method.config, method(batch))
