"""The exposure's part in what a method's network says: added where logits leave it."""

from typing import Any, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from postclick.methods.outputs import Outputs
from postclick.methods.phases import Step
from postclick.methods.prediction import Prediction
from postclick.nn.exposure import ExposureEffect

# A head of this name predicts click and conversion together, pCTCVR.
JOINT = "ctcvr"
# ln of the largest pCTCVR, so that its logit is finite.
LARGEST = -1e-6


class Effect(Protocol):
    """What adds an exposure to the logits of some heads."""

    @property
    def heads(self) -> tuple[str, ...]: ...

    def __call__(self, head: str, logit: Tensor, ids: Tensor | None) -> Tensor: ...


def exposed_outputs(effect: Effect, outputs: Outputs, ids: Tensor | None) -> Outputs:
    """Head logits with the exposure: of the click heads, and of pCTCVR, which has pCTR in it.

    Where the exposure makes pCTR so many times larger, it makes pCTCVR as many times larger, for
    pCVR is what it is. No other head is changed.
    """
    logits = dict(outputs.logits)
    for head in effect.heads:
        if head in logits:
            logits[head] = effect(head, logits[head], ids)
    if JOINT in logits and "ctr" in logits:
        before, after = F.logsigmoid(outputs.logits["ctr"]), F.logsigmoid(logits["ctr"])
        joint = (F.logsigmoid(logits[JOINT]) + (after - before)).clamp(max=LARGEST)
        logits[JOINT] = joint - (-joint.expm1()).log()
    return Outputs(logits, outputs.extra)


def exposed_prediction(
    effect: ExposureEffect, prediction: Prediction, propensity_head: str, ids: Tensor | None
) -> Prediction:
    """A prediction with the exposure; pCVR stays as it is, to the bit."""
    propensity = prediction.propensity
    if propensity is not None:
        propensity = effect(propensity_head, propensity, ids)
    return prediction.with_ctr(effect("ctr", prediction.ctr, ids), propensity)


def exposed_forward(
    method: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Outputs
) -> Outputs:
    """A hook on a method's `forward`, whoever has written it: what it returns, exposed."""
    effect, batch = method.exposure, args[0] if args else kwargs["batch"]
    assert isinstance(effect, ExposureEffect)
    return exposed_outputs(effect, outputs, batch.exposure)


def table_name(head: str) -> str:
    """The parameter of a method that has a head's exposures."""
    return f"exposure.tables.{head}"


def trained_tables(method: nn.Module, step: Step) -> set[str]:
    """Exposure tables that a step trains: those of the heads that it trains.

    A head is told by the names of its parameters; where none has its name, by the step's terms.
    """
    effect = method.exposure
    if not isinstance(effect, ExposureEffect):
        return set()
    names = [name for name, _ in method.named_parameters()]
    found = set()
    for head in effect.heads:
        own = [n for n in names if head in n.split(".") and n != table_name(head)]
        if any(n.startswith(step.parameters) for n in own) or (not own and head in step.terms):
            found.add(table_name(head))
    return found
