"""What a judgement of predictions holds: plain figures, as written to summary.json."""

from dataclasses import asdict, dataclass, field
from typing import Any

from postclick.judging.predicted.notebook import notebook_html
from postclick.metrics.metric import Space


@dataclass(frozen=True)
class Figure:
    """A metric of one model on one space, with its interval over groups or rows.

    Attributes:
        value: None where it is undefined, and `undefined` says why.
        low, high: ends of the interval at the judgement's level; None where there is none.
        rows: of the space; `weight` the impressions that they stand for where that is another
            number, and `positives` those of them with a positive label.
        groups: that a metric within groups rests on.
    """

    model: str
    metric: str
    space: Space
    value: float | None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    undefined: str | None = None
    rows: int = 0
    positives: float = 0.0
    weight: float | None = None
    groups: int | None = None


@dataclass(frozen=True)
class Difference:
    """How much better one model is than another by one metric, on the same rows.

    Attributes:
        gain: above 0 in favour of `model`; for PCOC and bias of the distances to 1 and 0.
        low, high: interval of the gain; p: two-sided, that the gain is 0; holm: the same,
            corrected over the models compared with `against`.
        detectable: the gain that these rows could have shown with 80 % power.
    """

    metric: str
    space: Space
    model: str
    against: str
    gain: float
    low: float
    high: float
    standard_error: float
    p: float
    holm: float
    detectable: float


@dataclass(frozen=True)
class SegmentFigure:
    """Observed and predicted rates of one model where a feature has one value.

    Attributes:
        kind: `categorical`, `numeric`, `time` or `bucket` (of the predictions themselves).
        quantity: `ctr`, `ctcvr` or `cvr`; the last is of clicked rows.
        rows, clicks, conversions: as recorded, whatever rows weigh.
        predicted, observed: means, by weight; pcoc their ratio, with its interval.
    """

    feature: str
    kind: str
    value: str
    model: str
    quantity: str
    rows: int
    clicks: int
    conversions: int
    predicted: float | None
    observed: float | None
    pcoc: float | None
    low: float | None
    high: float | None
    auc: float | None = None


@dataclass(frozen=True)
class Bucket:
    """Rows of similar prediction: what was predicted and what happened.

    Attributes:
        quantity: `ctr` (all rows) or `cvr` (clicked rows).
        rows: as recorded; positives, predicted, observed: by weight.
        low, high: interval of the observed rate, over groups or rows.
    """

    model: str
    quantity: str
    number: int
    rows: int
    positives: float
    predicted: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True)
class Answer:
    """What to do: one sentence first, and what it rests on.

    Attributes:
        sentence: for whoever decides.
        ship: the model that it advises.
        supported: whether it is better than every other beyond noise.
        details: further sentences, the most important first.
    """

    sentence: str
    ship: str
    supported: bool
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class JudgedLog:
    """Predictions of one or several models, judged.

    Attributes:
        log: what was judged.
        models: in the order given, the simplest (the reference) first.
        rows, clicks, conversions: as recorded, whatever rows weigh.
        units: how many independent units intervals rest on, and `unit` what they are.
        findings: what a reader should know, one sentence each.
        entire: estimates over all impressions without truth, by model; None without a propensity.
        exposure: PCOC by exposure and the test, by model; None without the role.
        randomised: the judgement of the randomised rows alone; None without them.
        command: what makes it again.
    """

    log: str
    models: tuple[str, ...]
    rows: int
    clicks: int
    conversions: int
    unit: str
    units: int
    level: float
    answer: Answer | None
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...] = ()
    segments: tuple[SegmentFigure, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    findings: tuple[str, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)
    entire: dict[str, Any] | None = None
    balance: dict[str, Any] | None = None
    exposure: dict[str, Any] | None = None
    randomised: "JudgedLog | None" = None
    command: str = ""
    seconds: float = 0.0

    def _repr_html_(self) -> str:
        """The answer and the main figures, in a notebook."""
        return notebook_html(self)

    @property
    def weighted(self) -> bool:
        """Whether rows stand for other numbers of impressions than one each."""
        return any(one.weight is not None for one in self.figures)

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        return asdict(self)

    def value(self, model: str, metric: str, space: str | None = None) -> float | None:
        """A model's metric; None if it is undefined or was not measured."""
        found = self.figure(model, metric, space)
        return None if found is None else found.value

    def figure(self, model: str, metric: str, space: str | None = None) -> Figure | None:
        """A model's metric with all that is known of it; None if it was not measured."""
        for one in self.figures:
            if one.model == model and one.metric == metric and space in (None, one.space):
                return one
        return None
