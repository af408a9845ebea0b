"""What each start of a mean counts where held-out rows have chosen, and what these rows say."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from postclick.methods.base import SERVING_HEADS


class MemberShares(nn.Module):
    """Shares of starts in pCTR and in pCVR, which a mean is fitted with; saved with its weights.

    Args:
        starts: how many each member has.
        shares: of each start until then.

    Attributes:
        ctr_shares, cvr_shares: of each start, [starts], summing to 1.
        losses: of held-out rows, of each member and of the mean, for both heads, [2, members + 1].
        behind, behind_error: by how much a member's is above the mean's, [2, members].
        counts: rows and positive labels, [2, 2].
    """

    ctr_shares: Tensor
    cvr_shares: Tensor
    losses: Tensor
    behind: Tensor
    behind_error: Tensor
    counts: Tensor

    def __init__(self, starts: Sequence[int], shares: Sequence[float]) -> None:
        super().__init__()
        self.starts = list(starts)
        members = len(self.starts)
        for head in SERVING_HEADS:
            self.register_buffer(f"{head}_shares", torch.tensor(list(shares)))
        sizes = {"losses": members + 1, "behind": members, "behind_error": members, "counts": 2}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(len(SERVING_HEADS), size, dtype=torch.float64))

    def of(self, head: str) -> Tensor:
        """Shares of the starts, [starts]."""
        return self.get_buffer(f"{head}_shares")

    def members(self, head: str) -> list[float]:
        """What members count, all their starts together."""
        parts = torch.split(self.of(head).double(), self.starts)
        return [float(part.sum()) for part in parts]

    def take(self, found: dict[str, Tensor]) -> None:
        """What `postclick.methods.learnt_weights.learn_weights` has found."""
        starts = torch.tensor(self.starts)
        for head, weights in zip(SERVING_HEADS, found["weights"], strict=True):
            self.of(head).copy_((weights / starts).repeat_interleave(starts))
        for name in ("losses", "behind", "behind_error", "counts"):
            self.get_buffer(name).copy_(found[name])
