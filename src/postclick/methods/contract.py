"""`Contract`: what a method says of itself, so that anyone can check that it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contract:
    """Exceptions and expectations that `postclick.testing.check_method` reads from the class.

    Attributes:
        drops: for each variant called `no_*`, the loss terms that it leaves out.
        flat_at_start: terms that have no gradient with fresh weights.
        trains_propensity: terms that train the propensity whatever `detach_propensity` says.
        spares_propensity: weighted terms that never train it, whatever `detach_propensity` says.
        weighted_cvr: the term of pCVR that is weighted by inverse propensity.
        scales: options that only scale the whole loss beside a variant, which Adam does not feel.

    >>> Contract(drops={"no_sam": ("align_cvr_clicked",)}).drops["no_sam"]
    ('align_cvr_clicked',)
    """

    drops: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flat_at_start: tuple[str, ...] = ()
    trains_propensity: tuple[str, ...] = ()
    spares_propensity: tuple[str, ...] = ()
    weighted_cvr: str = "cvr"
    scales: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
