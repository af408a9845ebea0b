"""Evaluation over batches and workers: update with rows, merge, compute every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.logits import sigmoid
from postclick.metrics.cell import Cell, measure
from postclick.metrics.inputs import as_labels, finite_vector, in_range
from postclick.metrics.likelihood import cross_entropy, log_complement, log_ctcvr
from postclick.metrics.metric import METRICS, MetricValue, Quantity, Space

Truth = Literal["true_cvr", "potential_conversion", "no truth"]
CtcvrSource = Literal["pCTR x pCVR", "ctcvr_logprob"]


class EvaluationSums:
    """Everything the metrics need from a log, mergeable over batches and workers.

    However the rows are cut into batches and in whatever order these are merged, AUC is the same
    to the last bit and the sums (float64) to rounding. Memory: about 14 bytes for each row with
    float32 logits, some 8 more with truth, because exact AUC needs all scores.

    >>> sums = EvaluationSums()
    >>> sums.update([1.0, -1.0, 2.0, 0.5], [0.0, -2.0, 1.0, -1.0], [1, 0, 1, 1], [0, 0, 1, 0])
    >>> [(m.metric, m.value) for m in sums.compute() if m.metric.endswith("_auc")]
    [('ctr_auc', 1.0), ('ctcvr_auc', 1.0), ('cvr_auc', 1.0)]
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[Quantity, Space], Cell] = {
            ("ctr", "entire"): Cell(),
            ("ctcvr", "entire"): Cell(),
            ("cvr", "clicked"): Cell(),
            ("cvr", "entire"): Cell(),
            ("true_cvr", "clicked"): Cell(),
            ("true_cvr", "unclicked"): Cell(),
        }
        self._truth: Truth | None = None
        self._ctcvr_source: CtcvrSource | None = None

    @property
    def rows(self) -> int:
        """Impressions seen so far."""
        return self._cells["ctr", "entire"].rows

    def update(
        self,
        ctr_logit: ArrayLike,
        cvr_logit: ArrayLike,
        click: ArrayLike,
        conversion: ArrayLike,
        *,
        true_cvr: ArrayLike | None = None,
        potential_conversion: ArrayLike | None = None,
        ctcvr_logprob: ArrayLike | None = None,
    ) -> None:
        """Add a batch of impressions; shapes `(n,)`, `n = 0` allowed.

        Logits: any float dtype. `click`, `conversion` (recorded) and `potential_conversion` are
        0/1, `true_cvr` is a probability. Truth is `true_cvr` if given, else
        `potential_conversion`; the metrics that need it are left out if there is neither.
        `ctcvr_logprob` is ln pCTCVR where a method predicts it other than as pCTR x pCVR.

        Raises `InputError` for shapes that differ, logits that are not finite, values out of
        range, conversions without a click, and a batch that has other optional columns than
        those before. A batch that is refused leaves the sums as they were.

        >>> sums = EvaluationSums()
        >>> sums.update([0.0], [0.0], [0], [1])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        postclick.errors.InputError: 1 of 1 rows has a conversion without a click; ...
        """
        zp = finite_vector("ctr_logit", ctr_logit)
        n = zp.size
        zq = finite_vector("cvr_logit", cvr_logit, n)
        c = as_labels("click", click, n)
        v = as_labels("conversion", conversion, n)
        stray = int(np.count_nonzero(v & ~c))
        if stray:
            raise InputError(
                f"{stray:,} of {n:,} rows {'has' if stray == 1 else 'have'} a conversion without "
                "a click; recorded conversions must be 0 there, pass what would have happened as "
                "potential_conversion"
            )
        truth, r = _truth(true_cvr, potential_conversion, n)
        source: CtcvrSource = "pCTR x pCVR"
        if ctcvr_logprob is None:
            log_t, log_rest = log_ctcvr(zp, zq)
        else:
            source = "ctcvr_logprob"
            given = in_range("ctcvr_logprob", ctcvr_logprob, -math.inf, 0.0, n)
            log_t = given.astype(np.float64, copy=False)
            log_rest = log_complement(log_t)
        if not n:
            return
        self._agree(truth, source)

        q = sigmoid(zq)
        # float64 for ln t even where logits are float32: it is a sum of two logs, and rounding it
        # to float32 would tie rows that the model ranks apart.
        self._cells["ctr", "entire"].add(
            c, prediction=sigmoid(zp), nll=cross_entropy(zp, c), score=zp
        )
        self._cells["ctcvr", "entire"].add(
            v, prediction=np.exp(log_t), nll=-np.where(v, log_t, log_rest), score=log_t
        )
        self._cells["cvr", "entire"].add(v, prediction=q)
        self._cells["cvr", "clicked"].add(
            v[c], prediction=q[c], nll=cross_entropy(zq[c], v[c]), score=zq[c]
        )
        if r is not None:
            halves: tuple[tuple[Space, NDArray[np.bool_]], ...] = (
                ("clicked", c),
                ("unclicked", ~c),
            )
            for space, half in halves:
                half_q, half_z, half_r = q[half], zq[half], r[half]
                self._cells["true_cvr", space].add(
                    half_r, prediction=half_q, nll=cross_entropy(half_z, half_r), score=half_z
                )

    def merge(self, other: EvaluationSums) -> EvaluationSums:
        """Add the rows of `other`, which stays as it is; returns self.

        Raises `InputError` if the two saw different optional columns.

        >>> left, right = EvaluationSums(), EvaluationSums()
        >>> left.update([0.1], [0.2], [1], [0])
        >>> right.update([0.3], [0.4], [1], [1])
        >>> left.merge(right).rows
        2
        """
        if other._truth is not None and other._ctcvr_source is not None:
            self._agree(other._truth, other._ctcvr_source)
        for key, cell in self._cells.items():
            cell.merge(other._cells[key])
        return self

    def compute(self) -> list[MetricValue]:
        """Every metric on each of its spaces, in the registry's order.

        >>> sums = EvaluationSums()
        >>> sums.update([0.1], [0.2], [0], [0])
        >>> next(m.undefined for m in sums.compute() if m.metric == "cvr_auc")
        'no clicked rows'
        """
        cells: Mapping[tuple[Quantity, Space], Cell] = self._cells
        has_truth = self._truth in ("true_cvr", "potential_conversion")
        if has_truth:
            entire = Cell()
            entire.merge(self._cells["true_cvr", "clicked"])
            entire.merge(self._cells["true_cvr", "unclicked"])
            cells = {**self._cells, ("true_cvr", "entire"): entire}
        return [
            measure(metric, space, cells[metric.quantity, space])
            for metric in METRICS.values()
            if has_truth or not metric.needs_truth
            for space in metric.spaces
        ]

    def _agree(self, truth: Truth, source: CtcvrSource) -> None:
        """Rows with and without an optional column must not be mixed in one figure."""
        for name, known, new in (
            ("truth", self._truth, truth),
            ("pCTCVR", self._ctcvr_source, source),
        ):
            if known is not None and known != new:
                raise InputError(
                    f"{name} came from '{known}' so far and from '{new}' now; "
                    "give the same optional columns with every batch"
                )
        self._truth, self._ctcvr_source = truth, source


def _truth(
    true_cvr: ArrayLike | None, potential_conversion: ArrayLike | None, rows: int
) -> tuple[Truth, NDArray[Any] | None]:
    """The column that stands for the truth: probabilities before one draw from them."""
    drawn = potential_conversion
    if drawn is not None:
        drawn = as_labels("potential_conversion", drawn, rows)
    if true_cvr is not None:
        return "true_cvr", in_range("true_cvr", true_cvr, 0.0, 1.0, rows)
    return ("no truth", None) if drawn is None else ("potential_conversion", drawn)
