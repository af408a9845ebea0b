"""Evaluation over batches and workers: update with rows, merge, compute every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.catalogue import Figure, figures, registered
from postclick.metrics.gauc import as_groups
from postclick.metrics.inputs import as_labels, finite_vector, in_range
from postclick.metrics.likelihood import log_complement, log_ctcvr
from postclick.metrics.metric import Metric, MetricValue, Quantity, Space, State
from postclick.metrics.rows import Rows

Truth = Literal["true_cvr", "potential_conversion", "no truth"]
CtcvrSource = Literal["pCTR x pCVR", "ctcvr_logprob"]
# What is kept: a state of a quantity on a space, which several metrics may share.
Key = tuple[Quantity, Space, str]


class EvaluationSums:
    """Everything the metrics need from a log, mergeable over batches and workers.

    However the rows are cut into batches and in whatever order these are merged, AUC and GAUC are
    the same to the last bit and the sums (float64) to rounding. Memory: about 14 bytes for each
    row with float32 logits, some 8 more with truth and 16 with groups, because exact ranking needs
    all scores.

    >>> sums = EvaluationSums()
    >>> sums.update([1.0, -1.0, 2.0, 0.5], [0.0, -2.0, 1.0, -1.0], [1, 0, 1, 1], [0, 0, 1, 0])
    >>> [(m.metric, m.value) for m in sums.compute() if m.metric.endswith("_auc")]
    [('ctr_auc', 1.0), ('ctcvr_auc', 1.0), ('cvr_auc', 1.0)]
    """

    def __init__(self, metrics: Sequence[Metric[Any]] | None = None) -> None:
        """`metrics` are by default those registered; `InputError` if they are not complete."""
        self._figures = figures(registered() if metrics is None else metrics)
        self._states: dict[Key, State] = {}
        self._rows = 0
        self._seen: dict[str, str] = {}

    @property
    def rows(self) -> int:
        """Impressions seen so far."""
        return self._rows

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
        group: ArrayLike | None = None,
        weight: ArrayLike | None = None,
    ) -> None:
        """Add a batch of impressions; shapes `(n,)`, `n = 0` allowed.

        Logits: any float dtype. `click`, `conversion` (recorded) and `potential_conversion` are
        0/1, `true_cvr` is a probability. Truth is `true_cvr` if given, else
        `potential_conversion`; the metrics that need it are left out if there is neither.
        `ctcvr_logprob` is ln pCTCVR where a method predicts it other than as pCTR x pCVR. `group`
        numbers the groups of rows, 0 for none; metrics within groups are left out without it.
        `weight`, finite and not negative, is how many impressions each row stands for, 1 without:
        whole weights give what so many copies of each row would.

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
        of_row = None if group is None else as_groups("group", group, n)
        w = None if weight is None else in_range("weight", weight, 0.0, math.inf, n)
        if not n:
            return
        grouping = "no group" if of_row is None else "group"
        weighing = "no weight" if w is None else "weight"
        self._agree({"truth": truth, "pCTCVR": source, "group": grouping, "weight": weighing})
        # Rows that count once are summed up as rows without weights are, to the last bit.
        w = None if w is None or bool((w == 1).all()) else w.astype(np.float64)

        cvr = Rows(v, zq, of_row, weight=w)
        # float64 for ln t even where logits are float32: it is a sum of two logs, and rounding it
        # to float32 would tie rows that the model ranks apart.
        found: dict[Quantity, Rows] = {
            "ctr": Rows(c, zp, of_row, weight=w),
            "ctcvr": Rows(
                v,
                log_t,
                of_row,
                prediction=lambda: np.exp(log_t),
                nll=lambda: -np.where(v, log_t, log_rest),
                weight=w,
            ),
            "cvr": cvr,
        }
        if r is not None:
            found["true_cvr"] = Rows(r, zq, of_row, prediction=lambda: cvr.prediction, weight=w)
        self._add(found, c)
        self._rows += n

    def merge(self, other: EvaluationSums) -> EvaluationSums:
        """Add the rows of `other`, which stays as it is; returns self.

        Raises `InputError` if the two saw different optional columns.

        >>> left, right = EvaluationSums(), EvaluationSums()
        >>> left.update([0.1], [0.2], [1], [0])
        >>> right.update([0.3], [0.4], [1], [1])
        >>> left.merge(right).rows
        2
        """
        if other._kinds() != self._kinds():
            raise InputError("these sums are of other metrics; merge sums of the same ones")
        self._agree(other._seen)
        for key, state in other._states.items():
            self._state(key, self._of(key)).merge(state)
        self._rows += other._rows
        return self

    def compute(self) -> list[MetricValue]:
        """Every metric on each of its spaces, in the registry's order.

        >>> sums = EvaluationSums()
        >>> sums.update([0.1], [0.2], [0], [0])
        >>> next(m.undefined for m in sums.compute() if m.metric == "cvr_auc")
        'no clicked rows'
        """
        found = []
        for figure in self._reported():
            for space in figure.spaces:
                states = [
                    self._states.get((figure.quantity, part, figure.metric.shared_state))
                    for part in _kept_on(figure.quantity, space)
                ]
                found.append(figure.measure(space, _merged(figure, states)))
        return found

    def _reported(self) -> list[Figure]:
        """The figures that the columns seen so far allow."""
        has_truth = self._seen.get("truth") in ("true_cvr", "potential_conversion")
        columns = {"group"} if self._seen.get("group") == "group" else set[str]()
        return [
            figure
            for figure in self._figures.values()
            if (has_truth or not figure.needs_truth) and figure.needs <= columns
        ]

    def _add(self, found: Mapping[Quantity, Rows], click: NDArray[np.bool_]) -> None:
        """Add the rows to each state that a figure needs, once."""
        wanted: dict[Key, Figure] = {}
        grouped = set[Key]()
        for figure in self._reported():
            for space in figure.spaces:
                for part in _kept_on(figure.quantity, space):
                    key = (figure.quantity, part, figure.metric.shared_state)
                    wanted[key] = figure
                    if "group" in figure.needs:
                        grouped.add(key)
        cut: dict[tuple[Quantity, Space], Rows] = {}
        for key, figure in wanted.items():
            quantity, space, _ = key
            if (quantity, space) not in cut:
                cut[quantity, space] = _on(found[quantity], space, click)
            rows = cut[quantity, space]
            self._state(key, figure).add(rows if key in grouped else rows.without_group())

    def _state(self, key: Key, figure: Figure) -> State:
        if key not in self._states:
            self._states[key] = figure.metric.state()
        return self._states[key]

    def _of(self, key: Key) -> Figure:
        """A figure that needs the state."""
        quantity, _, shared = key
        return next(
            figure
            for figure in self._figures.values()
            if (figure.quantity, figure.metric.shared_state) == (quantity, shared)
        )

    def _kinds(self) -> dict[str, type[Metric[Any]]]:
        """What its figures are made by; a worker's metrics are other objects of the same types."""
        return {name: type(figure.metric) for name, figure in self._figures.items()}

    def _agree(self, seen: Mapping[str, str]) -> None:
        """Rows with and without an optional column must not be mixed in one figure."""
        for name, new in seen.items():
            known = self._seen.get(name, new)
            if known != new:
                raise InputError(
                    f"{name} came from '{known}' so far and from '{new}' now; "
                    "give the same optional columns with every batch"
                )
        self._seen |= seen


def _kept_on(quantity: Quantity, space: Space) -> tuple[Space, ...]:
    """The spaces whose states together have the rows of `space`: truth is asked for on all."""
    both: tuple[Space, ...] = ("clicked", "unclicked")
    return both if quantity == "true_cvr" and space == "entire" else (space,)


def _on(rows: Rows, space: Space, click: NDArray[np.bool_]) -> Rows:
    if space == "entire":
        return rows
    return rows.where(click if space == "clicked" else ~click)


def _merged(figure: Figure, states: Sequence[State | None]) -> State:
    """The one state, or a new one with the rows of all."""
    if len(states) == 1 and states[0] is not None:
        return states[0]
    whole: State = figure.metric.state()
    for state in states:
        if state is not None:
            whole.merge(state)
    return whole


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
