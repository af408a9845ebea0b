"""From a backbone's name and the settings of a network to the backbone."""

from torch import nn

from postclick.nn.backbones import Backbone, TaskBackbone, find_backbone
from postclick.nn.config import NetworkConfig
from postclick.nn.first_layer import FirstLayer


def make_backbone(
    kind: Backbone,
    inputs: int,
    tasks: int,
    network: NetworkConfig,
    first: FirstLayer = nn.Linear,
) -> TaskBackbone:
    """The backbone `kind` with its options of `network` and fresh weights.

    Args:
        first: makes each layer that reads the input, for a backbone that takes such layers; any
            other reads a tensor.

    Raises:
        InputError: there is no such backbone, or an option is not valid for it.

    >>> import torch
    >>> backbone = make_backbone("mmoe", 4, 2, NetworkConfig(expert_width=8))
    >>> [tuple(x.shape) for x in backbone(torch.zeros(3, 4))]
    [(3, 8), (3, 8)]
    """
    found = find_backbone(kind)
    options = network.options_of(found)
    if found.takes_first_layer:
        return found(inputs, tasks, options, network, first)
    if first is not nn.Linear:
        raise ValueError(f"backbone {found.name} takes no first layer: give it a tensor")
    return found(inputs, tasks, options, network)
