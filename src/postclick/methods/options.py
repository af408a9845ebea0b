"""Options of methods: what is checked of them, and what a search may vary."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from postclick.data.schema import first_message
from postclick.errors import InputError
from postclick.ranges import READING, Choice, Space
from postclick.suggest import meant

Clip = tuple[float, float]
DEFAULT_CLIP: Clip = (0.01, 0.99)
# Beyond these float32 rounds 1 - pi to 0, and the weights or their gradients are infinite.
CLIP_RANGE: Clip = (1e-15, 1 - 1e-7)
CLIPS = Choice(tuple((low, 1 - low) for low in (0.001, 0.01, 0.03, 0.1)))


class MethodConfig(BaseModel):
    """Options of a method; unknown ones are refused.

    `presets` are named sets of options; what is set beside a preset wins over it.
    `search` has a range for each option that `tune` varies, `unsearched` says why not of each
    other one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    search: ClassVar[dict[str, Space]] = {}
    unsearched: ClassVar[dict[str, str]] = {}

    preset: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, data: Any) -> Any:
        name = data.get("preset") if isinstance(data, dict) else None
        if name is None:
            return data
        if not isinstance(name, str) or name not in cls.presets:
            known = ", ".join(cls.presets) or "none"
            raise ValueError(f"unknown preset {name!r}{meant(name, cls.presets)}; there is {known}")
        return {**cls.presets[name], **data}

    def idle(self) -> frozenset[str]:
        """Options of `search` that have no say beside the others, or only one value."""
        return frozenset()

    def searched(self) -> dict[str, Space]:
        """What trials may vary: what was set, by a variant, a preset or the user, is kept."""
        kept = self.idle() | self.model_fields_set
        return {name: space for name, space in self.search.items() if name not in kept}

    @classmethod
    def parse(cls, method: str, options: dict[str, Any]) -> Self:
        """Check options; `InputError` names the method, the option and what it takes."""
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            known = ", ".join(cls.model_fields)
            raise InputError(
                f"method {method}: option {first_message(error, cls)}; options: {known}"
            ) from None


class PropensityConfig(MethodConfig):
    """Options shared by all methods that weight by an inverse propensity."""

    search = {"clip": CLIPS}
    unsearched = {"detach_propensity": READING}

    clip: Clip = DEFAULT_CLIP
    detach_propensity: bool = True

    @model_validator(mode="after")
    def _clip_is_a_range(self) -> Self:
        low, high = self.clip
        if not CLIP_RANGE[0] <= low < high <= CLIP_RANGE[1]:
            raise ValueError(
                f"clip {low, high} is not a range within {CLIP_RANGE}, e.g. {DEFAULT_CLIP}"
            )
        return self


Weight = Field(default=1.0, ge=0)
