"""`tune`: search the settings of a method on the validation split."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.tuning.search_space import SearchSpace
from postclick.extras import require
from postclick.methods import Method
from postclick.metrics.catalogue import METRICS
from postclick.progress import Reporter, Silent
from postclick.runs.build import build_method
from postclick.runs.folder import partial_folder
from postclick.runs.run import Run
from postclick.runs.training_config import Monitor
from postclick.spelling import option
from postclick.suggest import meant
from postclick.system.files import locked, make_folder, read_json, write_json
from postclick.system.threads import cores
from postclick.tracking.destination import without_artefacts
from postclick.tracking.tracked_group import TrackedGroup
from postclick.training.train import train

if TYPE_CHECKING:
    from postclick.experiments.tuning.result import Tuning

SEARCH, BEST_RUN = "search.json", "best"


def tune(
    data: PreparedLog | str | Path,
    method: "str | type[Method[Any]]",
    out: str | Path,
    *,
    trials: int = 30,
    seed: int = 0,
    metric: str = "cvr_nll",
    overrides: Sequence[str] = (),
    workers: int | None = None,
    timeout: float | None = None,
    keep_best: bool = False,
    reporter: Reporter | None = None,
    track: Sequence[str] = (),
) -> "Tuning":
    """Search the settings of a method that do best on the validation split.

    The first trial has the defaults. Writes `best.yaml`, which `train` takes, and
    `trials.parquet` into `out`. The test split is never opened. Repeating the call goes on until
    `trials` trials are finished, those that were interrupted from their checkpoints.

    Args:
        method: a name, variant, place or class; what a variant sets is not varied.
        trials: how many in all, those included that were pruned or diverged.
        metric: a validation metric, as in `training.monitor`.
        overrides: settings that hold for all trials, e.g. `["epochs=3"]`, and are not varied.
        workers: processes; by default one per core. With one, the same seed gives the same trials.
        timeout: minutes after which no trial begins; those that have begun are finished.
        keep_best: train the best settings once more, into `out/best`.
        track: where to track the trials, e.g. `["mlflow"]`, as parts of the search.

    Raises:
        InputError: optuna is missing, an unknown method or setting, `out` holds another search,
            or every trial diverged.
    """
    require("optuna", "tune", "tuning")
    # Imported here: optuna is an extra.
    from postclick.experiments.tuning import optuna_study
    from postclick.experiments.tuning.result import BEST, FRAME, write_result
    from postclick.experiments.tuning.run_trials import TRIALS, Search, run_trials

    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    out, reporter = Path(out), reporter or Silent()
    space = _space(log, method, trials, seed, metric, overrides, timeout)
    make_folder(out)
    with locked(out / "tune.lock", out), optuna_study.quiet():
        _claim(out, log, space)
        optuna_study.repair(out)
        study = optuna_study.open_study(out, metric)
        back = optuna_study.recover(study)
        if back:
            reporter.line(f"{back} interrupted trials go on from their checkpoints")
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(optuna_study.journal_values(space.first, space.ranges))
        group = TrackedGroup(track, out, reporter)
        search = Search(log.folder.resolve(), out, space, without_artefacts(group.places))
        done = len(optuna_study.finished_trials(study))
        left, begun = max(0, trials - done), optuna_study.begun_trials(study)
        rows = left * space.base.epochs * log.split("train").rows
        reporter.start(f"{left} trials, at most", rows, "rows")
        deadline = None if timeout is None else time.monotonic() + 60 * timeout
        numbers = range(begun, begun + left)
        for _ in run_trials(search, numbers, workers or cores(), deadline, reporter):
            pass
        result = write_result(study, space, out)
        if keep_best:
            _keep_best(log, result, out, reporter)
        shutil.rmtree(out / TRIALS, ignore_errors=True)
        values = {metric: result.value, **({"gain": result.gain} if result.gain else {})}
        group.finish(values, [out / BEST, out / FRAME])
    return result


def _space(
    log: PreparedLog,
    method: "str | type[Method[Any]]",
    trials: int,
    seed: int,
    metric: str,
    overrides: Sequence[str],
    timeout: float | None,
) -> SearchSpace:
    """The space, with everything refused that is wrong for all trials."""
    if trials < 1:
        raise InputError(f"trials is {trials}: give 1 or more")
    if timeout is not None and not timeout > 0:
        raise InputError(f"timeout is {timeout:g}: give minutes above 0")
    if metric not in get_args(Monitor):
        known = ", ".join(get_args(Monitor))
        # Another metric was meant, not misspelled.
        near = "" if metric in METRICS else meant(metric, get_args(Monitor))
        raise InputError(f"metric {metric!r}{near} cannot be tuned; there are {known}")
    if any(text.partition("=")[0].strip() in ("monitor", "training.monitor") for text in overrides):
        raise InputError("training.monitor is what is tuned: give " + option("metric") + " instead")
    if "valid" not in log.manifest.splits:
        raise InputError(
            f"{log.folder} has no validation split, on which settings are judged: prepare it with "
            f"{option('valid')} or a {option('valid_fraction')} above 0"
        )
    space = SearchSpace.make(method, log, metric, seed, overrides)
    build_method(space.base, log)
    return space


def _claim(out: Path, log: PreparedLog, space: SearchSpace) -> None:
    """Write what is searched into `out`, or check that the search there is the same."""
    mine = {
        "data_fingerprint": log.fingerprint,
        "settings": space.base.model_dump(mode="json"),
        "space": space.as_dict(),
    }
    path = out / SEARCH
    if not path.exists():
        return write_json(path, mine)
    before = read_json(path)
    for key, what in (
        ("data_fingerprint", "on another log"),
        ("settings", "of another method, metric or seed, or with other settings"),
        ("space", "over other ranges, by another version of postclick"),
    ):
        if not isinstance(before, dict) or before.get(key) != mine[key]:
            raise InputError(f"{out} holds a search {what}: name another {option('out')}")
    return None


def _keep_best(log: PreparedLog, result: "Tuning", out: Path, reporter: Reporter) -> None:
    """Train the best settings into `best`, unless that is what is there."""
    kept = out / BEST_RUN
    if kept.exists() and Run(kept).settings.to_yaml() == result.best.to_yaml():
        return
    # Under a name of its own while it is trained: an unfinished run of an earlier best is not it.
    fresh = out / f"{BEST_RUN}-{result.best_trial}"
    for old in out.glob(f"{BEST_RUN}-*"):
        if old not in (fresh, partial_folder(fresh)) and old.is_dir():
            shutil.rmtree(old)
    if not fresh.exists():
        train(log, result.best, fresh, reporter=reporter)
    if kept.exists():
        shutil.rmtree(kept)
    fresh.rename(kept)
