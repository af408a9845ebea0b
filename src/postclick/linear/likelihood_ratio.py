"""A parameter's profile likelihood, and how much of it a value has to lose to be rejected."""

from dataclasses import dataclass

# Half the chi-square quantile with one degree of freedom, 95 %: likelihood ratio, Wilks, 1938.
CUT = 1.9207294103470267


@dataclass(frozen=True)
class Profile:
    """A profile of a log-likelihood.

    Attributes:
        at: values of the parameter, rising.
        loss: minus the log-likelihood at them, above its least value.
        best: where it is least.
        low, high: where it is 1.92 above that; infinite where it nowhere is within `limits`.
        at_zero: how far above it is at 0.
    """

    at: tuple[float, ...]
    loss: tuple[float, ...]
    best: float
    low: float
    high: float
    at_zero: float

    @property
    def rejects_zero(self) -> bool:
        """Whether the likelihood ratio rejects 0 at 5 %."""
        return self.at_zero > CUT
