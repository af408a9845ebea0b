"""Does one feature alone give the label away? Judged on rows that the judge was not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data import manifest as m
from postclick.data.column_threads import in_threads
from postclick.data.read.canonical import ROW
from postclick.data.read.values.lists import flatten
from postclick.data.read.values.vectors import matrix_of
from postclick.data.row_hash import SAMPLE, hashes_of
from postclick.data.sample import HASH, HashSample
from postclick.data.schema import LogSchema

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Rows of each stratum that are looked at; a log with fewer is looked at in full.
UNCLICKED_ROWS, CLICKED_ROWS, CONVERTED_ROWS = 60_000, 40_000, 20_000
MIN_POSITIVES = 50  # in the whole sample; with fewer nothing is said
ERROR_AUC, WARNING_AUC = 0.99, 0.95
# Values that mean a label almost surely, though not all positives have such a value.
PURE, PURE_ROWS, ERROR_RECALL, WARNING_RECALL = 0.99, 20, 0.5, 0.1
SMOOTHING = 10.0
BINS = 64
MAX_LIST = 20  # elements of a multi-valued feature that are looked at
MAX_VECTOR = 64  # leading elements of a vector that are looked at
Task = Literal["click", "conversion among clicked rows", "conversion"]


@dataclass(frozen=True)
class Leak:
    """The strongest sign found: held-out AUC, and the share of positives in pure values."""

    task: Task
    auc: float
    recall: float

    @property
    def severity(self) -> Literal["error", "warning"] | None:
        if self.auc >= ERROR_AUC or self.recall >= ERROR_RECALL:
            return "error"
        return "warning" if self.auc >= WARNING_AUC or self.recall >= WARNING_RECALL else None

    def describe(self) -> str:
        """The evidence in words."""
        if self.auc >= WARNING_AUC:
            return f"predicts {self.task} alone (AUC {self.auc:.4f} on held-out rows)"
        return f"has values that only rows with {self.task} have ({self.recall:.0%} of them)"


@dataclass(frozen=True)
class LabelledSample:
    """Sampled rows: features reduced to hashes, numbers or lists of hashes.

    Attributes:
        features: one column a feature.
        click, conversion: float64 [n].
        weight: float64 [n], rows of the log that a sampled row stands for.
        fit: bool [n], the half that encodings are fitted on.
    """

    features: pl.DataFrame
    click: Floats
    conversion: Floats
    weight: Floats
    fit: npt.NDArray[np.bool_]


class LeakSample:
    """Collects a sample of each stratum (not clicked, clicked, converted) from chunks."""

    def __init__(self, schema: LogSchema, seed: int) -> None:
        self._seed = seed
        self._features = schema.feature_names
        # What a judge needs of a row: equality of categories, not their text.
        lists = [pl.col(f.name).list.head(MAX_LIST) for f in schema.multi]
        self._reduced: list[pl.Expr] = [
            pl.col(m.CLICK),
            pl.col(m.CONVERSION),
            *(pl.col(f.name).hash() for f in schema.categorical),
            *(pl.col(f.name) for f in schema.numeric),
            *(column.list.eval(pl.element().hash()) for column in lists),
            *(pl.col(f.name).hash() for f in schema.hashed),
            *(pl.col(f.name).list.head(MAX_VECTOR) for f in schema.vector),
        ]
        self._strata = [HashSample(k) for k in (UNCLICKED_ROWS, CLICKED_ROWS, CONVERTED_ROWS)]

    def add(self, frame: pl.DataFrame) -> None:
        """Take in a canonical frame with row numbers; rows with wrong labels are passed over."""
        hashes = hashes_of(frame[ROW].to_numpy(), self._seed, SAMPLE)
        good = (frame[m.CLICK] >= frame[m.CONVERSION]).fill_null(False).to_numpy()
        step = (frame[m.CLICK] + frame[m.CONVERSION]).fill_null(0).to_numpy()
        for stratum, sample in enumerate(self._strata):
            mask = sample.accept(hashes, good & (step == stratum))
            if mask.any():
                rows = frame.filter(pl.Series(mask)).select(self._reduced)
                sample.put(rows, hashes[mask])

    def merge(self, other: "LeakSample") -> None:
        for mine, theirs in zip(self._strata, other._strata, strict=True):
            mine.merge(theirs)

    @property
    def complete(self) -> bool:
        """Whether every row was looked at."""
        return all(sample.seen <= sample.size for sample in self._strata)

    def result(self) -> LabelledSample | None:
        """The sample, or None if no usable row was seen."""
        frames = [sample.frame() for sample in self._strata]
        seen = [sample.seen for sample in self._strata]
        full = [f for f in frames if f.height]
        if not full:
            return None
        frame = pl.concat(full)
        weight = np.concatenate(
            [np.full(f.height, s / f.height) for f, s in zip(frames, seen, strict=True) if f.height]
        )
        # The sampled hashes are the small ones: their low bits are still fair coins.
        fit = (frame[HASH].to_numpy() & np.uint64(1)).astype(np.bool_)
        click = frame[m.CLICK].cast(pl.Float64).to_numpy()
        conversion = frame[m.CONVERSION].cast(pl.Float64).to_numpy()
        return LabelledSample(frame.select(self._features), click, conversion, weight, fit)


@dataclass(frozen=True)
class _Half:
    """Rows of one half that a task is about, with the rows of the log they stand for."""

    rows: Ints
    positive: Floats
    negative: Floats

    def sums(self, groups: Ints, size: int) -> tuple[Floats, Floats]:
        """float64 [size]: positives and negatives of each group."""
        mine = groups[self.rows]
        return (
            np.bincount(mine, self.positive, minlength=size).astype(np.float64),
            np.bincount(mine, self.negative, minlength=size).astype(np.float64),
        )


class LeakJudge:
    """Judges the features of one sample."""

    def __init__(self, sample: LabelledSample) -> None:
        self._sample = sample
        clicked = sample.click > 0
        everything = np.ones(len(clicked), dtype=np.bool_)
        self._tasks: list[tuple[Task, _Half, _Half]] = []
        self._add("click", sample.click, everything)
        self._add("conversion among clicked rows", sample.conversion, clicked)
        self._add("conversion", sample.conversion, everything)

    def _add(self, task: Task, label: Floats, among: npt.NDArray[np.bool_]) -> None:
        positives = int(label[among].sum())
        if min(positives, int(among.sum()) - positives) < MIN_POSITIVES:
            return
        halves = []
        for half in (among & self._sample.fit, among & ~self._sample.fit):
            rows = np.flatnonzero(half)
            weight, positive = self._sample.weight[rows], label[rows]
            halves.append(_Half(rows, weight * positive, weight * (1 - positive)))
        self._tasks.append((task, halves[0], halves[1]))

    def judge(self, feature: str) -> Leak | None:
        """The strongest leak of one feature, or None."""
        groupings = _groupings(self._sample.features[feature], self._sample) if self._tasks else []
        worst: Leak | None = None
        for task, fit, held in self._tasks:
            judged = [_judge(groups, ordered, fit, held) for groups, ordered in groupings]
            leak = Leak(task, max(auc for auc, _ in judged), max(recall for _, recall in judged))
            stronger = worst is None or (leak.auc, leak.recall) > (worst.auc, worst.recall)
            if leak.severity and stronger:
                worst = leak
        return worst


def _groupings(column: pl.Series, sample: LabelledSample) -> list[tuple[Ints, bool]]:
    """Ways to group the rows: int64 [n] groups, and whether their order is itself a score."""
    vector = isinstance(column.dtype, pl.List) and column.dtype.inner.is_float()
    if column.dtype == pl.Float64 or vector:
        values = _linear_score(column, sample) if vector else column.to_numpy()
        missing = np.isnan(values)
        fitted = values[sample.fit & ~missing]
        if len(fitted) == 0:
            return [(missing.astype(np.int64), False)]
        edges = np.unique(np.quantile(fitted, np.linspace(0, 1, BINS + 1)))
        bins = np.where(missing, len(edges) + 1, np.searchsorted(edges, values))
        ranks = np.unique(values, return_inverse=True)[1].reshape(-1)  # missing ones last
        return [(bins, False), (ranks, True)]
    if isinstance(column.dtype, pl.List):
        lengths = column.list.len().fill_null(0).to_numpy().astype(np.int64)
        return [(lengths, True), (_list_groups(column, sample), False)]
    return [(_codes(column), False)]


def _codes(hashes: pl.Series) -> Ints:
    """int64 [n]: a number for each hash; faster than `rank`."""
    found = np.unique(hashes.fill_null(0).to_numpy(), return_inverse=True)[1]
    return found.reshape(-1).astype(np.int64)


def _list_groups(column: pl.Series, sample: LabelledSample) -> Ints:
    """Group rows by the element of their list that is most typical of clicked rows."""
    values, offsets = flatten(column)
    if len(values) == 0:
        return np.zeros(len(column), dtype=np.int64)
    codes = _codes(values)
    rows = np.repeat(np.arange(len(column)), np.diff(offsets))
    fit = sample.fit[rows]
    label = (sample.click + sample.conversion)[rows]
    count = np.bincount(codes[fit], minlength=codes.max() + 1) + SMOOTHING
    rate = np.bincount(codes[fit], label[fit], minlength=codes.max() + 1) / count
    order = np.argsort(np.argsort(rate, kind="stable"), kind="stable")
    best = np.full(len(column), -1, dtype=np.int64)
    np.maximum.at(best, rows, order[codes])
    return best + 1


def _linear_score(column: pl.Series, sample: LabelledSample) -> Floats:
    """float64 [n]: the sum of labels by ridge regression on a vector, NaN where it is missing."""
    longest = column.list.len().max()
    if not isinstance(longest, int):
        return np.full(len(column), np.nan)
    values = matrix_of(column, longest).copy()
    missing = np.isnan(values).all(axis=1)
    fit = sample.fit & ~missing
    if not fit.any():
        return np.full(len(values), np.nan)
    there = ~np.isnan(values[fit])
    values -= np.where(there, values[fit], 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    values = np.nan_to_num(values)
    spread = values[fit].std(axis=0)
    values /= np.where(spread > 0, spread, 1.0)
    label = (sample.click + sample.conversion)[fit]
    x, weight = values[fit], sample.weight[fit, None]
    gram = x.T @ (weight * x) + SMOOTHING * np.eye(x.shape[1])
    slope = np.linalg.solve(gram, x.T @ (weight[:, 0] * (label - label.mean())))
    score: Floats = values @ slope
    score[missing] = np.nan
    return score


def _judge(groups: Ints, ordered: bool, fit: _Half, held: _Half) -> tuple[float, float]:
    """Held-out AUC of a grouping, and the share of positives in groups that are pure."""
    size = int(groups.max()) + 1
    held_pos, held_neg = held.sums(groups, size)
    if ordered:
        auc = grouped_auc(np.arange(size, dtype=np.float64), held_pos, held_neg)
        return max(auc, 1 - auc), 0.0
    fit_pos, fit_neg = fit.sums(groups, size)
    fit_all = fit_pos + fit_neg
    prior = fit_pos.sum() / max(fit_all.sum(), 1e-300)
    rate = (fit_pos + SMOOTHING * prior) / (fit_all + SMOOTHING)
    auc = grouped_auc(rate, held_pos, held_neg)
    pure = (fit_all >= PURE_ROWS) & (fit_pos >= PURE * fit_all)
    found, wrong = held_pos[pure].sum(), held_neg[pure].sum()
    telling = found > 0 and found >= PURE * (found + wrong) and prior < 0.5
    return auc, float(found / held_pos.sum()) if telling else 0.0


def grouped_auc(score: Floats, positive: Floats, negative: Floats) -> float:
    """Weighted AUC where all rows of a group share a score; ties count half; 0.5 if undefined.

    >>> one = np.array([1.0, 1.0])
    >>> grouped_auc(np.array([0.0, 1.0]), np.array([0.0, 2.0]), np.array([3.0, 0.0]))
    1.0
    """
    ranks = np.unique(score, return_inverse=True)[1].reshape(-1)
    pos = np.bincount(ranks, positive)
    neg = np.bincount(ranks, negative)
    pairs = pos.sum() * neg.sum()
    if pairs == 0:
        return 0.5
    return float((pos * (np.cumsum(neg) - 0.5 * neg)).sum() / pairs)


def find_leaks(sample: LabelledSample, features: Sequence[str]) -> dict[str, Leak]:
    """Leaks among `features`, in their order."""
    judge = LeakJudge(sample)
    found = dict(zip(features, in_threads(judge.judge, features), strict=True))
    return {name: leak for name, leak in found.items() if leak is not None}
