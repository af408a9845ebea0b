"""calibration.json of a run: the calibrator, what it was fitted on, and what validation says."""

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from postclick.calibration.calibrator import Calibrator
from postclick.data.schema import first_message
from postclick.errors import InputError
from postclick.system.files import read_json, write_json

CALIBRATION = "calibration.json"
# Format 1 knew validation clicks only.
FORMAT: Literal[1] = 1
OF_RAW_LOG: Literal[2] = 2
READABLE = (FORMAT, OF_RAW_LOG)
Weights = Literal["none", "propensity"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FittedOn(_Strict):
    """The rows that a calibrator was fitted on.

    `rows` are those of the split, or of the raw log of that name, of which the clicked ones were
    used. `clip` is that of the propensity in the weights, whose effective sample size is in clicks;
    rows of weight 0 in the log are not counted as clicks. The fingerprint is that of the log that
    the run was trained on.
    """

    split: Literal["valid"] | None = None
    log: str | None = None
    rows: int
    clicks: int
    conversions: int
    data_fingerprint: str
    weights: Weights
    clip: tuple[float, float] | None = None
    effective_sample_size: float

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = dump(self)
        del data["log" if self.log is None else "split"]
        return data


class Figures(_Strict):
    """PCOC and NLL of clicked rows; the weighted ones where the fit was weighted."""

    pcoc: float
    nll: float
    weighted_pcoc: float | None = None
    weighted_nll: float | None = None


class CrossFitted(_Strict):
    """Figures of the clicked rows before and after, each row calibrated by a fit without it.

    `tried` has the NLL of each kind by which one was chosen, if `best` was asked for.
    """

    folds: int
    before: Figures
    after: Figures
    tried: dict[str, float] | None = None


class Calibration(_Strict):
    """What calibration.json holds."""

    format: Literal[1, 2] = FORMAT
    calibrator: dict[str, Any]
    fitted_on: FittedOn
    validation: CrossFitted

    @property
    def map(self) -> Calibrator:
        """The calibrator; `InputError` if its parameters are wrong."""
        return Calibrator.from_json(self.calibrator)

    def write(self, run: Path) -> None:
        """Write `calibration.json` into a run folder, in one step."""
        write_json(run / CALIBRATION, self.model_dump(mode="json"))


def read_calibration(run: Path, fingerprint: str) -> Calibration | None:
    """What `postclick calibrate` wrote into a run folder; `None` if it did not.

    Raises:
        InputError: the file is damaged, of another version, or was fitted on another log than
            that with this fingerprint.
    """
    path = run / CALIBRATION
    if not path.exists():
        return None
    data = read_json(path)
    found = data.get("format") if isinstance(data, dict) else None
    if found not in READABLE:
        raise InputError(
            f"{path} has format {found}, this version reads {FORMAT} and {OF_RAW_LOG}: run "
            "'postclick calibrate'"
        )
    try:
        calibration = Calibration.model_validate(data)
        Calibrator.from_json(calibration.calibrator)
    except ValidationError as error:
        raise InputError(
            f"{path} is damaged: {first_message(error)}: run 'postclick calibrate' again"
        ) from None
    except InputError as error:
        raise InputError(f"{path} is damaged: {error}") from None
    if calibration.fitted_on.data_fingerprint != fingerprint:
        raise InputError(
            f"{path} was fitted on another log than the run was trained on: run 'postclick "
            "calibrate' again, with the run's own log"
        )
    return calibration
