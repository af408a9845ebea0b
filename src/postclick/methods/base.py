"""The contract between a method and everything else.

A method is a config, a network that maps a batch to named head logits, and a pure loss that
returns named scalar terms. Nothing outside `methods/` knows a method by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates, InputSpec
from postclick.data.schema import first_message
from postclick.errors import InputError
from postclick.methods.prediction import Prediction as Prediction
from postclick.nn.config import NetworkConfig
from postclick.nn.embedding import FeatureEmbedding
from postclick.nn.heads import HeadNetwork
from postclick.search import READING, Choice, Space

Terms = dict[str, Tensor]
Clip = tuple[float, float]
DEFAULT_CLIP: Clip = (0.01, 0.99)
# Beyond these float32 rounds 1 - pi to 0, and the weights or their gradients are infinite.
CLIP_RANGE: Clip = (1e-15, 1 - 1e-7)
CLIPS = Choice(tuple((low, 1 - low) for low in (0.001, 0.01, 0.03, 0.1)))
SERVING_HEADS = ("ctr", "cvr")


class MethodConfig(BaseModel):
    """Options of a method; unknown ones are refused.

    `presets` are named sets of options; what is set beside a preset wins over it.
    `search` has a range for each option that `tune` varies, `unsearched` says why not of each
    other one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    search: ClassVar[dict[str, Space]] = {}
    unsearched: ClassVar[dict[str, str]] = {}

    preset: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, data: Any) -> Any:
        name = data.get("preset") if isinstance(data, dict) else None
        if name is None:
            return data
        if not isinstance(name, str) or name not in cls.presets:
            known = ", ".join(cls.presets) or "none"
            raise ValueError(f"unknown preset {name!r}; there is {known}")
        return {**cls.presets[name], **data}

    def idle(self) -> frozenset[str]:
        """Options of `search` that have no say beside the others, or only one value."""
        return frozenset()

    def searched(self) -> dict[str, Space]:
        """What trials may vary: what was set, by a variant, a preset or the user, is kept."""
        kept = self.idle() | self.model_fields_set
        return {name: space for name, space in self.search.items() if name not in kept}

    @classmethod
    def parse(cls, method: str, options: dict[str, Any]) -> Self:
        """Check options; `InputError` names the method, the option and what it takes."""
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            known = ", ".join(cls.model_fields)
            raise InputError(
                f"method {method}: option {first_message(error)}; options: {known}"
            ) from None


class PropensityConfig(MethodConfig):
    """Options shared by all methods that weight by an inverse propensity."""

    search = {"clip": CLIPS}
    unsearched = {"detach_propensity": READING}

    clip: Clip = DEFAULT_CLIP
    detach_propensity: bool = True

    @model_validator(mode="after")
    def _clip_is_a_range(self) -> Self:
        low, high = self.clip
        if not CLIP_RANGE[0] <= low < high <= CLIP_RANGE[1]:
            raise ValueError(
                f"clip {low, high} is not a range within {CLIP_RANGE}, e.g. {DEFAULT_CLIP}"
            )
        return self


Weight = Field(default=1.0, ge=0)


@dataclass(frozen=True)
class Outputs:
    """What a network says of n impressions.

    Attributes:
        logits: a tensor [n] for each head.
        extra: whatever else the method's loss needs, e.g. pairs of tower activations.
    """

    logits: dict[str, Tensor]
    extra: dict[str, Any] = field(default_factory=dict)


class Labels(NamedTuple):
    """Click and *recorded* conversion, float [n]. A conversion counts only with a click."""

    click: Tensor
    conversion: Tensor

    @classmethod
    def of(cls, batch: Batch) -> "Labels":
        return cls(batch.click, batch.click * batch.conversion)


class Step(NamedTuple):
    """One update on a batch, with an optimizer of its own that lives as long as the run.

    Attributes:
        name: names the optimizer; the same name in several phases is the same optimizer.
        terms: the terms that are minimised; empty means all.
        parameters: prefixes of the parameter names that are updated; empty means all.
    """

    name: str = "joint"
    terms: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


def preparing_epochs(share: float, epochs: int) -> int:
    """Epochs of a phase that comes before the `epochs` of the CVR model; at least one."""
    return max(1, round(share * epochs))


class Phase(NamedTuple):
    """A stretch of training: some epochs, and the steps taken on each of their batches.

    Attributes:
        name: for logs and checkpoints.
        epochs: how many.
        steps: one, or several that alternate batch by batch.
        judged: whether its epochs count for early stopping and the choice of weights; those
            that prepare something else (a teacher, a propensity) do not.
    """

    name: str
    epochs: int
    steps: tuple[Step, ...] = (Step(),)
    judged: bool = True


C = TypeVar("C", bound=MethodConfig)


class Method(nn.Module, ABC, Generic[C]):
    """Base of all methods.

    Class attributes:
        name: as given to `--method`.
        summary: one line.
        reference: authors, title, venue, year.
        expect: what a user should expect of it, with a warning where one is due.
        backbone: the paper's, used for `backbone="auto"`.
        same_as: the method that this one is if both have the same backbone.
        Config: the options.
        variants: named sets of options (ablations, other readings), `name/variant`.
        spaces: for each loss term, the impressions that it is a mean over.

    Attributes:
        progress: how much of the present phase is done, 0 to 1; set by the training loop.
        ctr_shift: what `predict` adds to the pCTR logit, ln R for a log whose unclicked training
            rows were kept with probability R. Losses do not know of it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    expect: ClassVar[str]
    backbone: ClassVar[str] = "share_bottom"
    same_as: ClassVar[str | None] = None
    Config: ClassVar[type[MethodConfig]]
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    spaces: ClassVar[dict[str, str]]

    def __init__(
        self, config: C, network: NetworkConfig, inputs: InputSpec, rates: BaseRates, dim: int
    ) -> None:
        super().__init__()
        self.config = config
        self.progress = 0.0
        self.ctr_shift = 0.0
        self.network = network
        self.kind = self.backbone if network.backbone == "auto" else network.backbone
        self.embedding = FeatureEmbedding(
            inputs.field_sizes, inputs.bag_sizes, inputs.numerics, dim, network
        )
        self.build(rates)
        if not any(self.weights().values()):
            raise InputError(
                f"method {self.name}: every loss weight is 0, nothing would be trained: "
                f"set one of {', '.join(n for n in type(config).model_fields if 'weight' in n)}"
            )

    @staticmethod
    def start(config: Any, rates: BaseRates) -> dict[str, float]:
        """The heads on the shared backbone, each with the probability where its output starts."""
        return {"ctr": rates.ctr, "cvr": rates.cvr}

    @classmethod
    def all_heads(cls, config: Any, rates: BaseRates) -> dict[str, float]:
        """Every head, auxiliary ones included, with the probability where its output starts."""
        return cls.start(config, rates)

    def build(self, rates: BaseRates) -> None:
        """Make the networks on top of `self.embedding`."""
        self.net = HeadNetwork(
            self.embedding.width, self.start(self.config, rates), self.network, self.kind
        )

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        """Embedded features [n, width] -> head logits; `serving` asks for ctr and cvr only."""
        outputs = self.net(x, only=SERVING_HEADS if serving else None)
        return Outputs({name: out.logit for name, out in outputs.items()})

    @staticmethod
    @abstractmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Terms:
        """The loss: named scalar terms, unweighted. A pure function of its arguments."""

    @abstractmethod
    def weights(self) -> dict[str, float]:
        """The weight of each term in the sum that is minimised."""

    def embed(self, batch: Batch) -> Tensor:
        x: Tensor = self.embedding(batch.ids, batch.numeric, batch.bags)
        return x

    @classmethod
    def extra_epochs(cls, config: Any, epochs: int) -> int:
        """Epochs that `schedule` adds to `epochs`, at the most: how long a run is."""
        return 0

    def schedule(self, epochs: int) -> tuple[Phase, ...]:
        """The phases of a run: one joint phase unless stages are needed.

        `epochs` counts what is judged, the training of the CVR model; preparing phases add their
        own, so that every method's CVR model has seen the data equally often.
        """
        return (Phase("joint", epochs),)

    def begin(self, phase: Phase) -> None:
        """Called once when a phase begins, e.g. to copy weights."""
        return

    def forward(self, batch: Batch, step: Step = Step()) -> Outputs:  # noqa: B008
        """The heads that `step` needs, by default all."""
        return self.heads(self.embed(batch), serving=False)

    def loss(self, batch: Batch, step: Step = Step()) -> tuple[Outputs, Terms]:  # noqa: B008
        """Outputs and the terms of `step` on a batch; terms of weight 0 are left out."""
        outputs = self(batch, step)
        terms = self.terms(self.config, outputs, Labels.of(batch))
        weights = self.weights()
        wanted = step.terms or tuple(terms)
        return outputs, {name: terms[name] for name in wanted if weights[name] > 0}

    @staticmethod
    def serve(config: Any, outputs: Outputs) -> Prediction:
        """From head logits to what is served: pCTR and pCVR of the main heads."""
        return Prediction(outputs.logits["ctr"], outputs.logits["cvr"])

    @staticmethod
    def soft_label(config: Any, outputs: Outputs) -> Tensor | None:
        """Logit [n] of the label that unclicked impressions are given; `None` if they get none."""
        return None

    def predict(self, batch: Batch) -> Prediction:
        """pCTR, pCVR and, by default, pCTCVR = pCTR x pCVR, for impressions as they occur."""
        return self.predict_sampled(batch).shifted(self.ctr_shift)

    def predict_sampled(self, batch: Batch) -> Prediction:
        """The same for impressions as they are in the training split, perhaps down-sampled."""
        return self.serve(self.config, self.heads(self.embed(batch), serving=True))

    @property
    def clip(self) -> Clip | None:
        """The propensity clip, `None` for methods that use no propensity."""
        return self.config.clip if isinstance(self.config, PropensityConfig) else None

    def trained(self, step: Step) -> Iterator[tuple[str, nn.Parameter]]:
        """Named parameters that `step` updates."""
        for name, parameter in self.named_parameters():
            if not step.parameters or name.startswith(step.parameters):
                yield name, parameter
