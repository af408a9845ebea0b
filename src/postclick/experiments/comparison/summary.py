"""Means, standard deviations and winners of a comparison; a winner only where two tests say so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import Plan
from postclick.judging.oracle import baseline_value, share_of_gain
from postclick.metrics.catalogue import METRICS, figure_named
from postclick.metrics.metric import MetricValue
from postclick.runs.training_config import TrainingConfig
from postclick.stats.paired import supported_best


@dataclass(frozen=True)
class OverSeeds:
    """What one method reached by one metric, over seeds; `mean` is `None` where undefined."""

    mean: float | None
    sd: float | None
    runs: int
    undefined: str | None


@dataclass(frozen=True)
class Perfect:
    """What the true CVR scores as a prediction, and what its mean does; `None` if undefined."""

    value: float | None
    baseline: float | None


@dataclass(frozen=True)
class Gain:
    """How much better one method is than another, above 0 if it is, and the ends of an interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RowTest:
    """What other test rows could have shown of the method that is best over seeds.

    Attributes:
        level: of the intervals.
        drawn: `impressions`, or `groups` where whole groups are drawn.
        gains: over each other method; `None` where these rows cannot tell.
    """

    level: float
    drawn: str
    gains: dict[str, Gain | None]

    @property
    def holds(self) -> bool:
        """Whether every interval lies above 0."""
        return all(gain is not None and gain.low > 0 for gain in self.gains.values())

    @property
    def open_to(self) -> list[str]:
        """The methods over which the lead could be none on other rows."""
        return [name for name, gain in self.gains.items() if gain is None or gain.low <= 0]


@dataclass(frozen=True)
class Row:
    """One metric on one space: what every method reached, and which is best.

    `best_over_seeds` is the method that beats every other one in paired two-sided t-tests over
    seeds, Holm-corrected, at the 5 % level; `None` where no method does. `over_rows` is the test of
    that method over test rows. A `degenerate` row is an NLL over labels of one class: its optimum
    is a constant, so nobody is best by it. `perfect` is known only where the true CVR is.
    """

    metric: str
    space: str
    by_method: dict[str, OverSeeds]
    best_over_seeds: str | None
    degenerate: bool = False
    perfect: Perfect | None = None
    over_rows: RowTest | None = None

    @property
    def best(self) -> str | None:
        """The method that both tests support, over seeds and over test rows; else `None`."""
        holds = self.over_rows is not None and self.over_rows.holds
        return self.best_over_seeds if holds else None

    def share(self, method: str) -> float | None:
        """How much of the gain from the mean CVR to the true CVR a method reached."""
        mean, perfect = self.by_method[method].mean, self.perfect
        if mean is None or perfect is None or perfect.value is None or perfect.baseline is None:
            return None
        return share_of_gain(self.metric, mean, perfect.value, perfect.baseline)


@dataclass(frozen=True)
class Summary:
    """A comparison in short, with its protocol."""

    methods: tuple[str, ...]
    seeds: int
    rows: tuple[Row, ...]
    protocol: dict[str, Any]

    def row(self, metric: str, space: str) -> Row | None:
        return next((r for r in self.rows if (r.metric, r.space) == (metric, space)), None)

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        return {
            "protocol": self.protocol,
            "methods": list(self.methods),
            "seeds": self.seeds,
            "metrics": [
                {
                    "metric": row.metric,
                    "space": row.space,
                    "best": row.best,
                    "best_over_seeds": row.best_over_seeds,
                    "over_rows": None if row.over_rows is None else asdict(row.over_rows),
                    "degenerate": row.degenerate,
                    "perfect": None if row.perfect is None else vars(row.perfect),
                    "methods": {name: vars(m) for name, m in row.by_method.items()},
                }
                for row in self.rows
            ],
        }


def protocol(
    plan: Plan,
    log: PreparedLog,
    split: str,
    training: TrainingConfig,
    passes: Mapping[str, float],
    chosen: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """How the runs of one table were made: what a reader has to know of it.

    Args:
        passes: over the training split, seen by the weights that were kept, mean over seeds.
        chosen: settings of each method, if they were tuned.
    """
    if training.keep == "last" and training.patience is None:
        passes_each = f"{training.epochs} pass{'es' if training.epochs > 1 else ''}"
        length = f"{passes_each} of the CVR model for all, the last weights"
    else:
        length = f"at most {training.epochs} passes, best {training.monitor} on validation"
        if training.patience is not None:
            length += f", patience {training.patience}"
    drawn = "impressions" if log.manifest.log_schema.group is None else "groups"
    return {
        "split": split,
        "rows": log.split(split).rows,
        "backbone": plan.backbone,
        "backbone_note": "each paper's own" if plan.backbone == "auto" else "the same for all",
        "length": length,
        "passes": dict(passes),
        "tuned": {label: dict(settings) for label, settings in chosen.items()},
        "test": "paired over seeds, two-sided t, Holm-corrected over methods, 5 %",
        "test_over_rows": f"the 95 % interval over test {drawn} of its gain over each is above 0",
        "data_fingerprint": log.fingerprint,
    }


def summarise(
    results: pl.DataFrame,
    plan: Plan,
    protocol: dict[str, Any],
    oracle: Sequence[MetricValue] = (),
) -> Summary:
    """Summarise tidy results of one protocol (their columns: `results.COLUMNS`).

    `oracle` has the metrics of perfect predictions, where the true CVR is known.
    """
    perfect: dict[tuple[str, str], Perfect] = {
        (m.metric, m.space): Perfect(m.value, baseline_value(m)) for m in oracle
    }
    rows = tuple(_rows(results, plan, perfect))
    return Summary(plan.labels, len(plan.seeds), rows, protocol)


def _rows(
    results: pl.DataFrame, plan: Plan, perfect: Mapping[tuple[str, str], Perfect]
) -> Iterator[Row]:
    order = {name: k for k, name in enumerate(METRICS)}
    degenerate = _degenerate(results)
    pairs = results.select("metric", "space").unique(maintain_order=True).rows()
    for metric, space in sorted(pairs, key=lambda pair: order[figure_named(pair[0]).name]):
        part = results.filter((pl.col("metric") == metric) & (pl.col("space") == space))
        by_method: dict[str, OverSeeds] = {}
        values: dict[str, list[float]] = {}
        for method in plan.labels:
            mine = part.filter(pl.col("method") == method).sort("seed")
            found = mine["value"].drop_nulls()
            if len(found) < len(plan.seeds):
                reason = next(iter(mine["undefined"].drop_nulls()), "not measured")
                by_method[method] = OverSeeds(None, None, len(found), reason)
                continue
            values[method] = found.to_list()
            spread = found.std() if len(found) > 1 else None
            by_method[method] = OverSeeds(_number(found.mean()), _number(spread), len(found), None)
        best = None
        judged = not (metric in degenerate or len(values) < len(plan.labels))
        if judged and len(plan.labels) > 1 and len(plan.seeds) > 1:
            best = supported_best(values, metric)
        known = perfect.get((metric, space))
        yield Row(metric, space, by_method, best, metric in degenerate, known)


def _degenerate(results: pl.DataFrame) -> set[str]:
    """Figures for which a constant is best, because all recorded labels are the same."""
    undefined = results.filter(pl.col("value").is_null())["metric"].unique()
    # Truth is soft or drawn at random; an undefined space there says nothing of the others.
    found = [figure for name in undefined if not (figure := figure_named(name)).needs_truth]
    one_class = {figure.quantity for figure in found if figure.metric.undefined_in_one_class}
    return {
        figure.name
        for figure in METRICS.values()
        if figure.quantity in one_class and figure.metric.constant_in_one_class
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
