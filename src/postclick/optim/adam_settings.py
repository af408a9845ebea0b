"""`AdamSettings`: what a step of Adam needs to know beside the learning rate."""

from dataclasses import dataclass
from typing import Literal

from postclick.errors import InputError

# What rows do that a batch does not touch: stay as they are, move in closed form, move exactly.
Mode = Literal["sparse", "lazy", "exact"]


@dataclass(frozen=True)
class AdamSettings:
    """Settings of Adam for one parameter or table; the learning rate comes with each step.

    Args:
        weight_decay: L2 added to the gradient (coupled, as in `torch.optim.Adam`).
        betas: how much of the first and of the second moment a step keeps.
        eps: added to the root of the second moment, after its bias correction.

    Raises:
        InputError: a setting is out of range.

    >>> AdamSettings(weight_decay=1e-4)
    AdamSettings(weight_decay=0.0001, betas=(0.9, 0.999), eps=1e-08)
    """

    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        if not self.weight_decay >= 0:
            raise InputError(f"weight_decay={self.weight_decay}: take 0 or more")
        if not self.eps > 0:
            raise InputError(f"eps={self.eps}: take more than 0, for example 1e-8")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise InputError(f"betas={self.betas}: take two of them, each in [0, 1)")

    def check_closed_form(self) -> None:
        """Refuse betas under which a waiting row's steps have no sum.

        Raises:
            InputError: momentum fades more slowly than the root of the second moment, so that
                an untouched row would move by more with every step.
        """
        beta1, beta2 = self.betas
        if beta1 * beta1 >= beta2:
            raise InputError(
                f"betas={self.betas}: lazy updates need the square of the first below the second; "
                "choose others, or exact updates"
            )
