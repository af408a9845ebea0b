"""Fully connected layers."""

import torch.nn.functional as F
from torch import Tensor, nn

from postclick.nn.dropout import Dropout
from postclick.nn.first_layer import FirstLayer, LayerInput


class BatchNorm(nn.BatchNorm1d):
    """Batch norm that takes its running statistics for a batch of fewer than two rows.

    One row has no variance, and the last batch of a pass may well be one row.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or x.shape[0] > 1:
            return super().forward(x)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class MLP(nn.Module):
    """Linear, (batch norm,) ReLU, dropout, for each width.

    `activations` returns the ReLU output of every layer before dropout, `forward` the last one
    after it. With no widths it passes its input through.

    Shape: [n, inputs] -> [n, widths[-1]]
    """

    def __init__(
        self,
        inputs: int,
        widths: tuple[int, ...],
        *,
        dropout: float = 0.0,
        batch_norm: bool = False,
        first: FirstLayer = nn.Linear,
    ) -> None:
        super().__init__()
        self.width = widths[-1] if widths else inputs
        sizes = (inputs, *widths)
        self.linear = nn.ModuleList(
            (first if k == 0 else nn.Linear)(sizes[k], sizes[k + 1]) for k in range(len(widths))
        )
        self.norm = nn.ModuleList(BatchNorm(w) if batch_norm else nn.Identity() for w in widths)
        self.dropout = Dropout(dropout)

    def forward(self, x: LayerInput) -> LayerInput:
        activations = self.activations(x)
        return self.dropout(activations[-1]) if activations else x

    def activations(self, x: LayerInput, first: Tensor | None = None) -> list[Tensor]:
        """ReLU outputs of all layers, first to last; `first` is the first one's if it is known."""
        outputs: list[Tensor] = [] if first is None else [first]
        layers = list(zip(self.linear, self.norm, strict=True))
        for linear, norm in layers[len(outputs) :]:
            below = self.dropout(outputs[-1]) if outputs else x
            # In place: what a layer returns is nobody else's.
            outputs.append(norm(linear(below)).relu_())
        return outputs
