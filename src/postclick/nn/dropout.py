"""Dropout that is fast in CPU memory: the mask is hashed from a seed, never stored."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.system.compiled import compiled
from postclick.system.threads import parts_of, run_parts

# What it is kept for: with torch's a step of ESMM on MMoE takes 1.34 to 1.39 times as long (batches
# of 4096 of workload B, two threads and one; `benchmarks/backbones.py` measures both side by side).
ELEMENTS_PER_PART = 1 << 15


@compiled()
def drop(part, parts, x, out, seed, offset, threshold, scale, floor):  # type: ignore[no-untyped-def]
    """out = scale * max(x, floor) where an element's hash reaches `threshold`, else 0.

    The hash is the finaliser of MurmurHash3 (Appleby, public domain) with two seeds; 32-bit
    arithmetic without a carried state, so the loop is vectorised. `x` has at most 2^32 elements,
    and `out` may be `x`.
    """
    count = x.shape[0]
    for i in range(count * part // parts, count * (part + 1) // parts):
        h = np.uint32(np.uint32(np.uint32(i) * np.uint32(0x9E3779B1)) + seed)
        h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)) ^ offset
        h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
        h = h ^ (h >> np.uint32(16))
        value = x[i] if x[i] > floor or x[i] != x[i] else floor  # a NaN stays one
        out[i] = scale * value if h >= threshold else np.float32(0.0)


@compiled()
def pass_positive(part, parts, gradient, out, passed, scale):  # type: ignore[no-untyped-def]
    """passed = scale * gradient where `out` is positive (or NaN), else 0."""
    count = out.shape[0]
    for i in range(count * part // parts, count * (part + 1) // parts):
        passed[i] = np.float32(0.0) if out[i] <= np.float32(0.0) else scale * gradient[i]


def dropped(
    x: Tensor, probability: float, seed: int, *, relu: bool = False, in_place: bool = False
) -> Tensor:
    """`x` with its elements dropped by the mask of `seed`; the others are scaled up.

    `relu` takes max(x, 0) first; `in_place` writes to `x`, which has to be contiguous.
    """
    flat = x.detach().contiguous()
    out = flat if in_place else torch.empty_like(flat)
    threshold, scale = _threshold(probability)
    run_parts(
        drop,
        parts_of(flat.numel(), ELEMENTS_PER_PART),
        flat.view(-1).numpy(),
        out.view(-1).numpy(),
        np.uint32(seed & 0xFFFFFFFF),
        np.uint32(seed >> 32),
        threshold,
        scale,
        np.float32(0.0 if relu else -np.inf),
    )
    return out


def _threshold(probability: float) -> tuple[np.uint32, np.float32]:
    """The smallest hash that is kept, and the factor of what is kept."""
    threshold = min(round(probability * 2**32), 2**32 - 1)
    return np.uint32(threshold), np.float32(1 / (1 - threshold / 2**32))


class _Dropped(torch.autograd.Function):
    """The gradient goes through the same mask, which is made again rather than kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float, seed: int) -> Tensor:
        ctx.mask = probability, seed
        return dropped(x, probability, seed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return dropped(gradient, *ctx.mask), None, None


class _DroppedAfterRelu(torch.autograd.Function):
    """ReLU and dropout in place; what came out says where the gradient goes through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float, seed: int) -> Tensor:
        out = dropped(x, probability, seed, relu=True, in_place=True)
        ctx.probability = probability
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        assert out.data_ptr() == x.data_ptr()
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (out,) = ctx.saved_tensors
        gradient = gradient.contiguous()
        passed = torch.empty_like(gradient)
        _, scale = _threshold(ctx.probability)
        arrays = (tensor.view(-1).numpy() for tensor in (gradient, out, passed))
        run_parts(pass_positive, parts_of(out.numel(), ELEMENTS_PER_PART), *arrays, scale)
        return passed, None, None


class Dropout(nn.Module):
    """`torch.nn.Dropout`, several times faster on float32 in CPU memory.

    The seed of each call comes from torch's generator, so that a seed or a checkpoint repeats it.

    >>> _ = torch.manual_seed(0)
    >>> kept = Dropout(0.25)(torch.ones(10_000))
    >>> sorted({round(value, 4) for value in kept.tolist()})
    [0.0, 1.3333]
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self._drops:
            return x
        if not _fast(x):
            plain: Tensor = F.dropout(x, self.probability)
            return plain
        kept: Tensor = _Dropped.apply(x, self.probability, _seed())  # type: ignore[no-untyped-call]
        return kept

    def after_relu(self, x: Tensor) -> Tensor:
        """Dropout of ReLU(x), in one sweep; `x` is overwritten."""
        if not self._drops or not _fast(x) or not x.is_contiguous():
            return self.forward(x.relu_())
        kept: Tensor = _DroppedAfterRelu.apply(  # type: ignore[no-untyped-call]
            x, self.probability, _seed()
        )
        return kept

    @property
    def _drops(self) -> bool:
        return self.training and self.probability > 0


def _fast(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32


def _seed() -> int:
    return int(torch.randint(2**62, ()))
