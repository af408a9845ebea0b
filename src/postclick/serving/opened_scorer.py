"""`open_scorer`: a run or a bundle, told by its files, as what scores raw rows."""

from pathlib import Path

from postclick.errors import InputError
from postclick.judging.scorer import Scorer
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.bundle.bundle_files import BUNDLE

# The file that only a run has.
RUN_INFO = "run.json"


def open_scorer(
    path: str | Path,
    *,
    calibrated: bool = True,
    exposure_at: str | int | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Scorer:
    """Open a run or a bundle to score raw rows.

    A bundle needs no torch; a run is opened with it.

    Args:
        path: the folder.
        calibrated: apply the calibrator of a run, if it has one; what a bundle applies was settled
            by its export.
        exposure_at: where the run was trained with an exposure, the value at which pCTR is
            predicted, or "average"; by default what its schema says. That of a bundle was settled
            by its export, and can only be confirmed.
        threads: of a bundle, as in `Bundle.open`.
        device: of a run, as in `RunScorer`.

    Raises:
        InputError: the folder is neither, or it is damaged, or pCTR cannot be predicted there.

    >>> open_scorer("nowhere")
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: nowhere is neither a run nor a bundle: name a folder that \
'postclick train' or 'postclick export' made
    """
    folder = Path(path)
    if (folder / BUNDLE).is_file():
        bundle = Bundle.open(folder, threads)
        return bundle if exposure_at is None else bundle.predicting_at(exposure_at)
    if (folder / RUN_INFO).is_file():
        from postclick.runs.run_scorer import RunScorer

        return RunScorer(folder, calibrated=calibrated, exposure_at=exposure_at, device=device)
    partial = Path(f"{folder.resolve()}.partial")
    hint = " (unfinished: run 'postclick train' again to resume)" if partial.is_dir() else ""
    raise InputError(
        f"{folder} is neither a run nor a bundle{hint}: name a folder that 'postclick train' or "
        "'postclick export' made"
    )
