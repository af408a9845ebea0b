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
    threads: int | None = None,
    device: str | None = None,
) -> Scorer:
    """Open a run or a bundle to score raw rows.

    A bundle needs no torch; a run is opened with it.

    Args:
        path: the folder.
        calibrated: apply the calibrator of a run, if it has one; what a bundle applies was settled
            by its export.
        threads: of a bundle, as in `Bundle.open`.
        device: of a run, as in `RunScorer`.

    Raises:
        InputError: the folder is neither, or it is damaged.

    >>> open_scorer("nowhere")
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: nowhere is neither a run nor a bundle: name a folder that \
'postclick train' or 'postclick export' made
    """
    folder = Path(path)
    if (folder / BUNDLE).is_file():
        return Bundle.open(folder, threads)
    if (folder / RUN_INFO).is_file():
        from postclick.runs.run_scorer import RunScorer

        return RunScorer(folder, calibrated=calibrated, device=device)
    partial = Path(f"{folder.resolve()}.partial")
    hint = " (unfinished: run 'postclick train' again to resume)" if partial.is_dir() else ""
    raise InputError(
        f"{folder} is neither a run nor a bundle{hint}: name a folder that 'postclick train' or "
        "'postclick export' made"
    )
