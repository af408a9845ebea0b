"""A toy method with two phases, as methods with teachers or alternating stages have them."""

from typing import Any

from torch import Tensor

from postclick.losses import cross_entropy, mean_entire
from postclick.methods.base import Labels, Method, MethodConfig, Outputs, Phase, Terms


class Phased(Method[MethodConfig]):
    """First the embedding and the CTR head, then the CVR head alone."""

    name = "phased"
    summary = "two phases"
    reference = "none"
    Config = MethodConfig
    phases = (
        Phase("first", 0.5, ("embedding", "net.backbone", "net.heads.ctr")),
        Phase("second", 0.5, ("net.heads.cvr",)),
    )

    @staticmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Terms:
        losses: dict[str, Tensor] = {
            "ctr": cross_entropy(outputs.logits["ctr"], labels.click),
            "cvr": labels.click * cross_entropy(outputs.logits["cvr"], labels.conversion),
        }
        return {name: mean_entire(loss) for name, loss in losses.items()}

    def weights(self) -> dict[str, float]:
        return {"ctr": 1.0, "cvr": 1.0}
