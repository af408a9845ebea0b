"""What methods share in which one latent cause drives clicks and conversions, however predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates
from postclick.latent import LatentName, latent
from postclick.linear.likelihood_ratio import Profile
from postclick.losses import Term, Terms, cross_entropy, ctr_loss, mean_entire
from postclick.losses.selection import logit_given_click, marginal_logit
from postclick.methods.base import Method
from postclick.methods.dependence import Dependence
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Labels, Outputs
from postclick.methods.prediction import Prediction

# `log_kept` in `Outputs.extra`, where rows are a sample and the loss is to know it.
DEPENDENCE, KEPT = "dependence", "log_kept"
# No profile tries more.
MOST_VALUES = 32


class LatentConfig(MethodConfig):
    """Options of a method with a latent cause.

    Attributes:
        dependence: s, how much of what no feature shows and moves clicks also moves conversions;
            None where the method finds it.
        latent: the distribution of what no feature shows; two-point and skewed ones are checks.
    """

    dependence: float | None = Field(default=None, ge=-5, le=5)
    latent: LatentName = "normal"


C = TypeVar("C", bound=LatentConfig)


class LatentCause(Method[C]):
    """Base of methods with P(click | u) = sigma(a + u) and P(v | click, u) = sigma(b + s u).

    `Outputs` has a as `ctr`, b as `cvr`, and s as `dependence`, unless the option of that name
    fixes it; the option `latent` is the distribution of u. The exposure is a part of a alone.
    """

    shared_heads = (DEPENDENCE,)
    rate_by_exposure = True

    @classmethod
    def all_heads(cls, config: Any, rates: BaseRates) -> dict[str, float]:
        found = cls.start(config, rates)
        return found if config.dependence is not None else {**found, DEPENDENCE: 0.5}

    @classmethod
    def differs_on_clicks(cls, config: Any) -> bool:
        return bool(config.dependence != 0)

    def build_latent(self) -> None:
        """What keeps s and its profile, unless s is fixed, and of which rows the weights are."""
        # ln of the share of unclicked impressions among the rows that it was fitted to.
        self.register_buffer("log_kept", torch.zeros(1))
        if self.config.dependence is None:
            self.dependence = nn.Parameter(torch.zeros(1))
            # Best by likelihood, ends of the interval, and how much likelihood s = 0 loses.
            self.register_buffer("dependence_interval", torch.zeros(4))
            # Values that were tried, and how much likelihood each loses; infinite beyond the last.
            self.register_buffer("dependence_profile", torch.full((2, MOST_VALUES), torch.inf))

    def take_dependence(self, found: Mapping[str, Tensor]) -> None:
        """Keep `served`, the `interval` and the `profile`, as `DependenceSearch` found them."""
        if self.config.dependence is None:
            self.dependence.copy_(found["served"])
            self.get_buffer("dependence_interval").copy_(found["interval"])
            tried = found["profile"]
            self.get_buffer("dependence_profile")[:, : tried.shape[1]] = tried

    def with_dependence(self, outputs: Outputs) -> Outputs:
        """The same with s of every row, unless it is fixed."""
        if self.config.dependence is not None:
            return outputs
        s = self.dependence + torch.zeros_like(outputs.logits["ctr"])
        return Outputs({**outputs.logits, DEPENDENCE: s}, outputs.extra)

    @property
    def dependence_found(self) -> tuple[float, float, float] | None:
        told = self.dependence_told.profile
        return None if told is None else (told.best, told.low, told.high)

    @property
    def dependence_told(self) -> Dependence:
        """The dependence that is served, and what the log says of it."""
        if self.config.dependence is not None:
            return Dependence(self.config.dependence, None)
        tried = self.get_buffer("dependence_profile")
        at, loss = (tuple(row[row.isfinite()].tolist()) for row in tried)
        ends = self.get_buffer("dependence_interval").tolist()
        return Dependence(self.dependence.item(), Profile(at, loss, *ends))

    @staticmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Terms:
        """The likelihood of all impressions in two parts: clicks, and conversions given a click."""
        click, conversion = labels
        a, b, over = outputs.logits["ctr"], outputs.logits["cvr"], latent(config.latent)
        given = logit_given_click(a, b, _dependence(config, outputs), over)
        kept = outputs.extra.get(KEPT, 0.0)
        return {
            "ctr": Term(ctr_loss(marginal_logit(a, over=over) - kept, click), 1.0, "entire"),
            "cvr": Term(mean_entire(click * cross_entropy(given, conversion)), 1.0, "clicked"),
        }

    @staticmethod
    def serve(config: Any, outputs: Outputs) -> Prediction:
        over, s = latent(config.latent), _dependence(config, outputs)
        return Prediction(
            marginal_logit(outputs.logits["ctr"], over=over),
            marginal_logit(outputs.logits["cvr"], s, over),
        )

    def _predicted(self, batch: Batch, ctr_shift: float) -> Prediction:
        outputs = self.serving_outputs(batch)
        found = self.serve(self.config, outputs)
        # It was fitted to the impressions that there were before any were left out.
        shift = ctr_shift - self.get_buffer("log_kept")
        if self.exposure is None:
            return Prediction(found.ctr + shift, found.cvr)
        over = latent(self.config.latent)

        def link(logit: Tensor) -> Tensor:
            return marginal_logit(logit, over=over) + shift

        return Prediction(
            self.exposure("ctr", outputs.logits["ctr"], batch.exposure, link), found.cvr
        )

    def given_click(self, batch: Batch) -> Tensor:
        outputs = self(batch)
        return logit_given_click(
            outputs.logits["ctr"],
            outputs.logits["cvr"],
            _dependence(self.config, outputs),
            latent(self.config.latent),
        )


def _dependence(config: Any, outputs: Outputs) -> float | Tensor:
    fixed: float | None = config.dependence
    return outputs.logits[DEPENDENCE] if fixed is None else fixed
