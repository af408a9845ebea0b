"""What is watched while a run trains: loss terms, propensity clipping, effective sample size."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from postclick.losses import Terms
from postclick.methods.base import Clip, Labels, Outputs


@dataclass
class EpochMeter:
    """Sums over the batches of one epoch, in float64; a checkpoint keeps them.

    `clip` is the method's propensity clip, `head` the head that the propensity comes from; without
    a clip only loss terms are summed. `rows` counts rows, whatever they weigh.
    """

    clip: Clip | None = None
    head: str = "ctr"
    sums: dict[str, float] = field(default_factory=dict)
    rows: int = 0

    @torch.no_grad()
    def add(
        self,
        terms: Terms,
        total: float,
        outputs: Outputs,
        labels: Labels,
        *,
        again: bool = False,
        weight: Tensor | None = None,
    ) -> None:
        """Add a step on a batch; `again` if the batch was seen in an earlier step.

        `weight` is how many impressions each row stands for, [n]; None: one each.
        """
        rows = len(labels.click)
        self.rows += 0 if again else rows
        mass = rows if weight is None else float(weight.double().sum())
        if weight is not None and not again:
            self._sum("mass", mass)
        for name, term in terms.items():
            self._sum(f"term/{name}", term.value.item() * mass)
        self._sum("total", total * mass)
        if self.clip is None or again:
            return
        logit = outputs.logits.get(self.head)
        if logit is None:
            return
        unclipped = logit.detach().sigmoid()
        pi = unclipped.clamp(*self.clip)
        inverse, clipped = labels.click.double() / pi, unclipped != pi
        if weight is not None:
            inverse, clipped = inverse * weight, clipped * weight.double()
        self._sum("clipped", float(clipped.sum()))
        self._sum("weight", float(inverse.sum()))
        self._sum("weight2", float(inverse.square().sum()))
        self._sum("clicks", float(labels.click.sum()))

    def _sum(self, name: str, value: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + value

    def report(self) -> dict[str, float | dict[str, float]]:
        """Means per impression; effective sample size is (sum w)^2 / sum w^2 over clicks."""
        rows = self.sums.get("mass") or max(self.rows, 1)
        terms = {
            name.removeprefix("term/"): value / rows
            for name, value in self.sums.items()
            if name.startswith("term/")
        }
        report: dict[str, float | dict[str, float]] = {
            "loss": self.sums.get("total", 0.0) / rows,
            "terms": terms,
        }
        if self.clip is not None:
            squares = self.sums.get("weight2", 0.0)
            effective = self.sums.get("weight", 0.0) ** 2 / squares if squares > 0 else 0.0
            report["clip_share"] = self.sums.get("clipped", 0.0) / rows
            report["effective_sample_size"] = effective
            report["clicks"] = self.sums.get("clicks", 0.0)
        return report
