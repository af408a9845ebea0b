"""The contract of a backbone: from the input vector to one representation per task."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from postclick.nn.first_layer import LayerInput
from postclick.nn.shared_settings import SharedSettings
from postclick.ranges import Space


class BackboneOptions(BaseModel):
    """Options of a backbone; unknown ones are refused.

    They stand beside the settings that all networks share (`--set experts=4`), so none may have
    the name of one of those. `search` has a range for each option that `tune` varies.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    search: ClassVar[dict[str, Space]] = {}


class TaskBackbone(nn.Module, ABC):
    """Maps an input to one representation per task.

    Its constructor takes `(inputs, tasks, options, network)`, with `options` of its own class and
    the settings that all networks share, and, where `takes_first_layer` is set, `first` besides.

    Class attributes:
        name: as given to `--set backbone=`.
        summary: one line.
        reference: authors, title, venue, year.
        Options: the options.
        encodes_tasks: whether the representations differ by task already, so that no further
            encoder of a task is needed before tasks exchange anything.
        takes_first_layer: whether every layer that reads the input is made by `first` and the
            input is only ever given to those (or to `postclick.nn.first_layer.affine`). A method
            may then feed something else than a tensor to layers made for it. Where it is not
            set, the input is a tensor [n, inputs].

    Attributes:
        width: columns of each representation.
        reads_input: whether the towers see the raw input, so that their first layer has to be
            able to read it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    Options: ClassVar[type[BackboneOptions]]
    encodes_tasks: ClassVar[bool] = False
    takes_first_layer: ClassVar[bool] = False

    width: int
    reads_input: bool = False

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        options = cls.__dict__.get("Options")
        names = () if options is None else options.model_fields
        clash = [name for name in names if name in SharedSettings.model_fields]
        if clash:
            raise TypeError(
                f"backbone {cls.__name__}: its option {clash[0]!r} has the name of a setting that "
                "all networks share: call it something else"
            )

    @abstractmethod
    def forward(self, x: LayerInput) -> list[Tensor]:
        """[n, inputs] -> for each task [n, width]."""
