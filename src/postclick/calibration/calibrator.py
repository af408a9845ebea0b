"""A monotone map from CVR logit to calibrated CVR logit. NumPy alone: serving has no torch.

The calibrated logit of a logit z is, by kind:

- `none`: z
- `temperature`: z / T
- `platt`: a z + b
- `isotonic`: a straight line between knots, constant beyond the outermost ones
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.suggest import meant

Kind = Literal["none", "temperature", "platt", "isotonic"]
# From the simplest on: of two that do equally well the earlier one is taken.
KINDS: tuple[Kind, ...] = get_args(Kind)
# No calibrated logit is larger: finite in float32 as well.
LARGEST = 1e30
_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    "none": (),
    "temperature": ("temperature",),
    "platt": ("slope", "intercept"),
    "isotonic": ("logit", "calibrated"),
}


@dataclass(frozen=True)
class Calibrator:
    """A calibrator; only the parameters of its kind count.

    Attributes:
        slope, intercept: of `platt`; of `temperature` the slope is 1 / T.
        logit, calibrated: knots of `isotonic`, increasing and not decreasing.

    Raises:
        InputError: parameters that are not finite or not monotone.

    >>> calibrator = Calibrator("platt", slope=0.5, intercept=-1.0)
    >>> calibrator.apply([-2.0, 0.0, 4.0]).tolist()
    [-2.0, -1.0, 1.0]
    >>> Calibrator.from_json(calibrator.to_json()) == calibrator
    True
    """

    kind: Kind
    slope: float = 1.0
    intercept: float = 0.0
    logit: tuple[float, ...] = ()
    calibrated: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise _wrong(
                f"kind {self.kind!r}{meant(self.kind, KINDS)} is not one of {', '.join(KINDS)}"
            )
        numbers = (self.slope, self.intercept, *self.logit, *self.calibrated)
        if not all(math.isfinite(number) for number in numbers):
            raise _wrong("a parameter is NaN or infinite")
        if self.slope <= 0:
            raise _wrong(f"slope {self.slope:g} would turn the ranking over")
        if len(self.logit) != len(self.calibrated):
            raise _wrong(f"{len(self.logit)} logits, but {len(self.calibrated)} calibrated ones")
        if self.kind == "isotonic":
            if not self.logit:
                raise _wrong("isotonic without knots")
            if any(b <= a for a, b in zip(self.logit, self.logit[1:], strict=False)):
                raise _wrong("the logits of the knots do not increase")
            if any(b < a for a, b in zip(self.calibrated, self.calibrated[1:], strict=False)):
                raise _wrong("the calibrated logits decrease")

    def apply(self, cvr_logit: ArrayLike) -> NDArray[np.float64]:
        """Calibrated logits of CVR logits: any shape, float64; finite for finite ones.

        >>> Calibrator("isotonic", logit=(-2.0, 0.0), calibrated=(-3.0, -1.0)).apply([-9, -1, 9])
        array([-3., -2., -1.])
        """
        z = np.asarray(cvr_logit, dtype=np.float64)
        if self.kind == "none":
            return z
        if self.kind == "isotonic":
            return np.asarray(np.interp(z, self.logit, self.calibrated))
        with np.errstate(over="ignore"):
            found = self.slope * z + self.intercept
        return np.asarray(np.clip(found, -LARGEST, LARGEST))

    def to_json(self) -> dict[str, Any]:
        """Plain data: `kind` and its parameters.

        >>> Calibrator("temperature", slope=0.5).to_json()
        {'kind': 'temperature', 'temperature': 2.0}
        """
        values: dict[str, Any] = {
            "temperature": 1 / self.slope,
            "slope": self.slope,
            "intercept": self.intercept,
            "logit": list(self.logit),
            "calibrated": list(self.calibrated),
        }
        return {"kind": self.kind, **{name: values[name] for name in _FIELDS[self.kind]}}

    @classmethod
    def from_json(cls, data: Any) -> "Calibrator":
        """The calibrator that `to_json` wrote.

        Raises:
            InputError: a key is missing or unknown, or a value is not what it has to be.

        >>> Calibrator.from_json({"kind": "platt", "slope": 1.0})
        Traceback (most recent call last):
        ...
        postclick.errors.InputError: calibrator: 'intercept' is missing: run 'postclick calibrate'
        """
        if not isinstance(data, Mapping):
            raise _wrong(f"found {type(data).__name__}, not an object")
        kind = data.get("kind")
        if kind not in KINDS:
            raise _wrong(f"kind {kind!r}{meant(kind, KINDS)} is not one of {', '.join(KINDS)}")
        names = _FIELDS[kind]
        for name in data:
            if name not in ("kind", *names):
                raise _wrong(f"{name!r} is no parameter of {kind}")
        for name in names:
            if name not in data:
                raise _wrong(f"{name!r} is missing")
        if kind == "isotonic":
            knots = {name: _numbers(name, data[name]) for name in names}
            return cls(kind, logit=knots["logit"], calibrated=knots["calibrated"])
        found = {name: _number(name, data[name]) for name in names}
        if kind == "temperature":
            if not found["temperature"] > 0:
                raise _wrong(f"temperature {found['temperature']:g} is not above 0")
            return cls(kind, slope=1 / found["temperature"])
        return cls(kind, slope=found.get("slope", 1.0), intercept=found.get("intercept", 0.0))


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise _wrong(f"{name!r} is not a list")
    return tuple(_number(name, value) for value in values)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(f"{name!r} holds {value!r}, not a number")
    return float(value)


def _wrong(what: str) -> InputError:
    return InputError(f"calibrator: {what}: run 'postclick calibrate'")
