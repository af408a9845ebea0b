"""The network that only DDPO has: task encoders joined by causal transfer modules."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from postclick.nn.attention import CausalTransfer
from postclick.nn.backbones import Backbone
from postclick.nn.backbones.make import make_backbone
from postclick.nn.config import NetworkConfig
from postclick.nn.heads import Head
from postclick.nn.mlp import MLP


class CausalNetwork(nn.Module):
    """An encoder per head; the CVR tower reads what the other encoders transfer to it.

    On a shared encoder a task's own is all of `network.tower` but its last layer, which is left to
    the head; where the backbone encodes tasks already (MMoE), whole towers follow. With
    f_o, f_r and f_c from the encoders of click, CVR and conversion propensity, the CVR tower's
    input is ReLU(Linear([transfer(f_o, f_r), transfer(f_c, f_r)])), or f_r without transfer.

    Args:
        base_rates: heads `ctr`, `cvr` and perhaps `conversion`, with where their outputs start.
        transfer: join the encoders.
        project, bias: of the transfer modules, see `CausalTransfer`.

    Shape: [n, inputs] -> {head: logit [n]}
    """

    def __init__(
        self,
        inputs: int,
        base_rates: Mapping[str, float],
        network: NetworkConfig,
        backbone: Backbone,
        *,
        transfer: bool,
        project: bool,
        bias: bool,
    ) -> None:
        super().__init__()
        self.backbone = make_backbone(backbone, inputs, len(base_rates), network)
        encoder, tower = network.tower[:-1], network.tower[-1:]
        if self.backbone.encodes_tasks:
            encoder, tower = (), network.tower

        def layers(width: int, sizes: tuple[int, ...]) -> MLP:
            return MLP(width, sizes, dropout=network.dropout, batch_norm=network.batch_norm)

        self.encoders = nn.ModuleDict(
            {name: layers(self.backbone.width, encoder) for name in base_rates}
        )
        width = encoder[-1] if encoder else self.backbone.width
        sizes = network.model_copy(update={"tower": tower})
        self.heads = nn.ModuleDict(
            {name: Head(width, sizes, rate) for name, rate in base_rates.items()}
        )
        # Last, so that whatever is chosen here leaves the start of the rest as it is.
        self.transfer = nn.ModuleDict(
            {
                name: CausalTransfer(
                    width, width, bias=bias, project=project, dropout=network.dropout
                )
                for name in base_rates
                if transfer and name != "cvr"
            }
        )
        if transfer:
            self.join = layers(len(self.transfer) * width, (width,))

    def forward(self, x: Tensor, *, serving: bool = False) -> dict[str, Tensor]:
        """All heads, or `ctr` and `cvr` only; the latter need every encoder all the same."""
        encoded: dict[str, Tensor] = {
            name: encoder(below)
            for (name, encoder), below in zip(self.encoders.items(), self.backbone(x), strict=True)
        }
        if self.transfer:
            transferred = [
                module(encoded[name], encoded["cvr"]) for name, module in self.transfer.items()
            ]
            encoded["cvr"] = self.join(torch.cat(transferred, dim=1))
        return {
            name: head(encoded[name]).logit
            for name, head in self.heads.items()
            if not (serving and name == "conversion")
        }
