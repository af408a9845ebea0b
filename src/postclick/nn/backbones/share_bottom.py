"""One encoder for all tasks, or none: the shared bottom."""

from torch import Tensor, nn

from postclick.nn.backbones.base import BackboneOptions, TaskBackbone
from postclick.nn.first_layer import FirstLayer, LayerInput
from postclick.nn.mlp import MLP
from postclick.nn.shared_settings import SharedSettings, Width
from postclick.ranges import Choice


class ShareBottomOptions(BackboneOptions):
    """Options of the shared bottom.

    Attributes:
        bottom: widths of the shared layers; without any, tasks share embeddings only.
    """

    search = {"bottom": Choice(((), (128,)))}

    bottom: tuple[Width, ...] = ()


class ShareBottom(TaskBackbone):
    """One encoder for all tasks (ChorusCVR, Eq. 1); an empty `bottom` shares embeddings only."""

    name = "share_bottom"
    summary = "one encoder for all tasks; by default the embeddings alone, with a tower per task"
    reference = "Caruana, Multitask Learning, Machine Learning 1997"
    Options = ShareBottomOptions
    takes_first_layer = True

    def __init__(
        self,
        inputs: int,
        tasks: int,
        options: ShareBottomOptions,
        network: SharedSettings,
        first: FirstLayer = nn.Linear,
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.bottom = MLP(
            inputs,
            options.bottom,
            dropout=network.dropout,
            batch_norm=network.batch_norm,
            first=first,
        )
        self.width = self.bottom.width
        self.reads_input = not options.bottom

    def forward(self, x: LayerInput) -> list[Tensor]:
        return [self.bottom(x)] * self.tasks
