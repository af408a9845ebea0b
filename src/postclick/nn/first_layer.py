"""Layers that read a network's input, which need not be a tensor."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# What the first layer takes: a tensor [n, inputs], or whatever its own kind is made for.
LayerInput = Any
# Makes a layer that reads the input, from its numbers of inputs and outputs.
FirstLayer = Callable[[int, int], nn.Module]


def affine(layer: nn.Module, x: LayerInput) -> tuple[Any, Tensor, Tensor]:
    """What a first layer multiplies: its input, weight [outputs, columns] and bias [outputs].

    A layer that makes another input of `x` than `x` itself says so in a method of this name.

    >>> import torch
    >>> [tuple(part.shape) for part in affine(nn.Linear(3, 2), torch.zeros(5, 3))]
    [(5, 3), (2, 3), (2,)]
    """
    own = getattr(layer, "affine", None)
    if own is None:
        return x, layer.get_parameter("weight"), layer.get_parameter("bias")
    read, weight, bias = own(x)
    return read, weight, bias


def outputs_in_parts(layer: nn.Module, x: LayerInput, sizes: list[int]) -> tuple[Tensor, ...]:
    """Outputs [n, size] of a layer, one for each of `sizes`, which add up to its columns.

    A product for each: parts of one output would be copied by whatever needs them whole.

    >>> [part.shape[1] for part in outputs_in_parts(nn.Linear(3, 5), torch.ones(2, 3), [4, 1])]
    [4, 1]
    """
    read, weight, bias = affine(layer, x)
    parts = zip(torch.split(weight, sizes), torch.split(bias, sizes), strict=True)
    return tuple(F.linear(read, part, shift) for part, shift in parts)
