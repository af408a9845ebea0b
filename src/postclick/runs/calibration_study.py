"""calibration_study.json: what each calibrator, fitted on validation clicks, does on a split.

It holds `format`, `split`, `clicks` and `conversions` of the validation split, `clip` and
`effective_sample_size` of the propensity weights, and `arms`: one for uncalibrated predictions
and one for each kind and weights, with `judged` (fields of `JudgedCalibrator`, `reliability` as
one list for each field of its bins) or `undefined`, the reason why there is none.
"""

from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args

import numpy as np

from postclick.calibration.calibration_file import Weights
from postclick.calibration.calibrator import KINDS, Calibrator
from postclick.calibration.fit import fit, propensity_weights
from postclick.calibration.reliability import JudgedCalibrator, ReliabilityBin, judge_calibrator
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.labels import SplitLabels, split_labels
from postclick.metrics.propensity import effective_sample_size
from postclick.runs.clicked import Clicked, Values, clicked_logits
from postclick.runs.run import Run
from postclick.system.files import read_json, write_json

STUDY, FORMAT = "calibration_study.json", 1
# Judging on the rows that calibrators are fitted on would flatter them.
FITTED_ON = "valid"


def calibration_study(
    clicked: Clicked, cvr_logit: Values, labels: SplitLabels, split: str
) -> dict[str, Any]:
    """Every kind of calibrator, unweighted and weighted, fitted on `clicked` and judged.

    Args:
        clicked: of the validation split.
        cvr_logit: of every row of the judged split, `(n,)`, in the order of `labels`.

    A calibrator that cannot be fitted is told with the reason.
    """
    own = clicked.weight
    weight = propensity_weights(clicked.ctr_logit, clicked.clip)
    weight = weight if own is None else own * weight
    arms = [_arm("none", "none", judge_calibrator(Calibrator("none"), cvr_logit, labels))]
    for weights in get_args(Weights):
        for kind in KINDS[1:]:
            try:
                calibrator = fit(
                    kind,
                    clicked.cvr_logit,
                    clicked.conversion,
                    weight if weights == "propensity" else own,
                )
            except InputError as error:
                arms.append({"kind": kind, "weights": weights, "undefined": str(error)})
                continue
            arms.append(_arm(kind, weights, judge_calibrator(calibrator, cvr_logit, labels)))
    return {
        "format": FORMAT,
        "split": split,
        "clicks": clicked.conversion.size,
        "conversions": int(clicked.conversion.sum()),
        "clip": list(clicked.clip),
        "effective_sample_size": effective_sample_size(weight),
        "arms": arms,
    }


def add_study(run: Run, log: PreparedLog, split: str) -> None:
    """Write a run's study, unless it is there; the run must have kept its predictions on `split`.

    Raises:
        InputError: predictions are missing, or a file is damaged.
    """
    if read_study(run.folder, split) is None:
        logits = run.predictions(split)["cvr_logit"].to_numpy().astype(np.float64)
        found = calibration_study(clicked_logits(run, log), logits, split_labels(log, split), split)
        write_json(run.folder / STUDY, found)


def read_study(run: Path, split: str) -> dict[str, Any] | None:
    """The study of a run on a split; `None` without one, or if another version wrote it.

    Raises:
        InputError: the file is damaged.
    """
    if not (run / STUDY).exists():
        return None
    found = read_json(run / STUDY)
    if not isinstance(found, dict) or found.get("format") != FORMAT or found.get("split") != split:
        return None
    return found


def _arm(kind: str, weights: str, judged: JudgedCalibrator) -> dict[str, Any]:
    entry = asdict(judged)
    entry["reliability"] = {
        f.name: _short(getattr(one, f.name) for one in judged.reliability)
        for f in fields(ReliabilityBin)
    }
    return {"kind": kind, "weights": weights, "judged": entry}


def _short(values: Iterable[Any]) -> list[Any]:
    """Numbers with the six digits that a plot can show."""
    return [float(f"{x:.6g}") if isinstance(x, float) else x for x in values]
