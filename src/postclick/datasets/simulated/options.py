"""What can be set of a world besides its rates: the options of `--set`, checked by pydantic.

An option has the name of the field of `World` in whose place it is put.
"""

from typing import Literal

from pydantic import Field

from postclick.datasets.base import Options


class NoOptions(Options):
    """A world of which nothing can be set."""


class PositionOptions(Options):
    """A position that is dealt at random and moves clicks alone.

    Attributes:
        position_sd: standard deviation of what it adds to the click logit.
        exposure: the schema has it as its exposure, not among the features.
    """

    position_sd: float | None = Field(default=None, ge=0.0, le=10.0, allow_inf_nan=False)
    exposure: bool | None = None


class HiddenOptions(PositionOptions):
    """Besides, a cause of clicks and conversions that no column shows.

    Attributes:
        hidden_distribution: of the cause; every one has mean 0 and variance 1.
    """

    hidden_distribution: Literal["normal", "two_point", "skewed"] | None = None


class SelectionOptions(HiddenOptions):
    """Besides, how strongly the cause acts, in logits for each of its standard deviations.

    Attributes:
        hidden_click_sd: on clicks.
        s: on conversions; below 0, who is moved to click is kept from converting.
    """

    hidden_click_sd: float | None = Field(default=None, ge=0.0, le=10.0, allow_inf_nan=False)
    s: float | None = Field(default=None, ge=-10.0, le=10.0, allow_inf_nan=False)
