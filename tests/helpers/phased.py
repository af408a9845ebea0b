"""A toy method with two phases, as methods with teachers or alternating stages have them."""

from typing import Any

from torch import Tensor

from postclick.losses import Term, cross_entropy, mean_entire
from postclick.methods.base import Labels, Method, MethodConfig, Outputs, Phase, Step, Terms


class Phased(Method[MethodConfig]):
    """First the embedding and the CTR head, then the CVR head alone."""

    name = "phased"
    summary = "two phases"
    reference = "none"
    Config = MethodConfig
    expect = "nothing"
    trained_in = (("embedding", "net.backbone", "net.heads.ctr"), ("net.heads.cvr",))

    def schedule(self, epochs: int) -> tuple[Phase, ...]:
        first, second = self.trained_in
        half = max(1, epochs // 2)
        return (
            Phase("first", half, (Step("first", parameters=first),), judged=False),
            Phase("second", epochs - half, (Step("second", parameters=second),)),
        )

    @staticmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Terms:
        losses: dict[str, Tensor] = {
            "ctr": cross_entropy(outputs.logits["ctr"], labels.click),
            "cvr": labels.click * cross_entropy(outputs.logits["cvr"], labels.conversion),
        }
        return {name: Term(mean_entire(loss), 1.0, "entire") for name, loss in losses.items()}
