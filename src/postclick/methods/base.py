"""`Method`: what a way to train a CVR model has to be, for everything else to work with it.

A method is a config, a network that maps a batch to named head logits, and a pure loss that
returns named terms. Nothing outside `methods/` knows a method by name.
"""

from collections.abc import Iterator
from functools import partial
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates, InputSpec
from postclick.errors import InputError
from postclick.losses import Term, Terms, row_weights
from postclick.methods.contract import Contract
from postclick.methods.declaration import Declaration
from postclick.methods.exposed import exposed_forward, exposed_prediction, trained_tables
from postclick.methods.options import (
    CLIP_RANGE,
    DEFAULT_CLIP,
    Clip,
    MethodConfig,
    PropensityConfig,
    Weight,
)
from postclick.methods.outputs import Labels, Outputs
from postclick.methods.phases import Phase, Step, preparing_epochs
from postclick.methods.prediction import Prediction as Prediction
from postclick.nn.config import NetworkConfig
from postclick.nn.embedding import FeatureEmbedding
from postclick.nn.exposure import ExposureEffect
from postclick.nn.heads import HeadNetwork

__all__ = [
    "CLIP_RANGE",
    "DEFAULT_CLIP",
    "SERVING_HEADS",
    "Clip",
    "Contract",
    "Labels",
    "Method",
    "MethodConfig",
    "Outputs",
    "Phase",
    "Prediction",
    "PropensityConfig",
    "Step",
    "Term",
    "Terms",
    "Weight",
    "preparing_epochs",
]

SERVING_HEADS = ("ctr", "cvr")


C = TypeVar("C", bound=MethodConfig)


class Method(Declaration, nn.Module, Generic[C]):
    """Base of all methods: what `Declaration` says, and the networks of it.

    Attributes:
        progress: how much of the present phase is done, 0 to 1; set by the training loop.
        ctr_shift: what `predict` adds to the pCTR logit, ln R for a log whose unclicked training
            rows were kept with probability R. Losses do not know of it.
        exposure: what the log's exposure adds to the logits of `ctr` and of the propensity head,
            and how a head called `ctcvr` follows; None without one. It is added to whatever
            `forward` and `serving_outputs` return, so that neither has to know of it.
    """

    def __init__(
        self, config: C, network: NetworkConfig, inputs: InputSpec, rates: BaseRates, dim: int
    ) -> None:
        super().__init__()
        self.config = config
        self.progress = 0.0
        self.ctr_shift = 0.0
        self.network = network
        self.kind = network.backbone_of(self.backbone)
        # Of the log's features; a method with further models makes further ones.
        self.new_embedding = partial(
            FeatureEmbedding,
            inputs.field_sizes,
            inputs.bag_sizes,
            inputs.numerics,
            dim,
            network,
            inputs.bag_targets,
            inputs.vectors,
        )
        self.embedding = self.new_embedding()
        self.build(rates)
        self.exposure: ExposureEffect | None = None
        if inputs.exposure is not None:
            heads = dict.fromkeys(("ctr", self.propensity_head))
            self.exposure = ExposureEffect(heads, *inputs.exposure)
            self.register_forward_hook(exposed_forward, with_kwargs=True)

    def build(self, rates: BaseRates) -> None:
        """Make the networks on top of `self.embedding`."""
        self.net = HeadNetwork(
            self.embedding.width, self.start(self.config, rates), self.network, self.kind
        )

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        """Embedded features [n, width] -> head logits; `serving` asks for ctr and cvr only."""
        outputs = self.net(x, only=SERVING_HEADS if serving else None)
        return Outputs({name: out.logit for name, out in outputs.items()})

    def embed(self, batch: Batch) -> Tensor:
        x: Tensor = self.embedding(batch.ids, batch.numeric, batch.bags)
        return x

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
        """Outputs and the terms of `step` on a batch; terms of weight 0 are left out.

        Rows count by the batch's weights, if it has some.
        """
        outputs = self(batch, step)
        with row_weights(batch.weight):
            terms = self.terms(self.config, outputs, Labels.of(batch))
        wanted = step.terms or tuple(terms)
        return outputs, {name: terms[name] for name in wanted if terms[name].weight > 0}

    def require_a_loss(self, batch: Batch) -> None:
        """Raise `InputError` if no step on `batch` would train anything: every weight is 0."""
        steps = {step for phase in self.schedule(1) for step in phase.steps}
        was_training = self.training
        self.eval()  # draws no random numbers
        with torch.no_grad():
            trained = any(self.loss(batch, step)[1] for step in steps)
        self.train(was_training)
        if not trained:
            options = type(self.config).model_fields
            raise InputError(
                f"method {self.name}: every loss weight is 0, nothing would be trained: "
                f"set one of {', '.join(name for name in options if 'weight' in name)}"
            )

    def serving_outputs(self, batch: Batch) -> Outputs:
        """The heads that `serve` reads."""
        return self.heads(self.embed(batch), serving=True)

    def predict(self, batch: Batch) -> Prediction:
        """pCTR, pCVR and, by default, pCTCVR = pCTR x pCVR, for impressions as they occur.

        Where the log has an exposure, pCTR is that at the exposure of the batch, or, if it has
        none, that at `exposure.at` or the mean over exposures.
        """
        return self._predicted(batch, self.ctr_shift)

    def predict_sampled(self, batch: Batch) -> Prediction:
        """The same for impressions as they are in the training split, perhaps down-sampled."""
        return self._predicted(batch, 0.0)

    def _predicted(self, batch: Batch, ctr_shift: float) -> Prediction:
        found = self.serve(self.config, self.serving_outputs(batch)).shifted(ctr_shift)
        if self.exposure is None:
            return found
        return exposed_prediction(self.exposure, found, self.propensity_head, batch.exposure)

    def exposures(self) -> list[ExposureEffect]:
        """The effect of the exposure, and of a mean those of its members; none without one."""
        return [module for module in self.modules() if isinstance(module, ExposureEffect)]

    def given_click(self, batch: Batch) -> Tensor:
        """Logit [n] of P(conversion | click): pCVR, unless a method knows of a hidden cause."""
        return self.predict(batch).cvr

    @property
    def dependence_found(self) -> tuple[float, float, float] | None:
        """How much a hidden cause of clicks also moves conversions, with an interval; None for
        methods that do not estimate it."""
        return None

    @property
    def clip(self) -> Clip | None:
        """The propensity clip, `None` for methods that use no propensity."""
        return self.config.clip if isinstance(self.config, PropensityConfig) else None

    def trained(self, step: Step) -> Iterator[tuple[str, nn.Parameter]]:
        """Named parameters that `step` updates."""
        exposed = trained_tables(self, step)
        for name, parameter in self.named_parameters():
            if not step.parameters or name.startswith(step.parameters) or name in exposed:
                yield name, parameter
