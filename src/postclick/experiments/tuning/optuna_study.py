"""The study of a search: optuna's trials in a journal of JSON lines, and what was interrupted.

Nothing is pickled: optuna pickles snapshots of a journal in Redis and the state of CMA-ES, and
neither is used here. The journal is a file with one JSON object per line; its lock is a file that
is created exclusively, for processes.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from postclick.errors import InputError
from postclick.experiments.tuning.search_space import Range
from postclick.metrics.catalogue import figure_named
from postclick.ranges import Interval
from postclick.spelling import option
from postclick.system.files import write_bytes

JOURNAL, STUDY = "journal.jsonl", "postclick"
# Trials that begin before one is compared with them, and epochs that all are given.
UNPRUNED_TRIALS, UNPRUNED_EPOCHS = 5, 1
# A trial whose process dies this often is a failed one.
ATTEMPTS = 3
Scalar = None | bool | int | float | str


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna says only what is wrong."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def open_study(out: Path, metric: str) -> optuna.Study:
    """The study in `out`, made if there is none."""
    path = str((out / JOURNAL).resolve())
    storage = JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path)))
    pruner = optuna.pruners.MedianPruner(UNPRUNED_TRIALS, n_warmup_steps=UNPRUNED_EPOCHS)
    higher = figure_named(metric).higher_is_better
    return optuna.create_study(
        study_name=STUDY,
        storage=storage,
        pruner=pruner,
        direction="maximize" if higher else "minimize",
        load_if_exists=True,
    )


def sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    """TPE; one for each trial, so that a search that is resumed does not draw the same again."""
    drawn = np.random.default_rng([seed, number]).integers(2**31)
    return optuna.samplers.TPESampler(seed=int(drawn))


def repair(out: Path) -> None:
    """Make the journal whole after a kill; to be called while nobody else uses it.

    A line without an end was not written to its end, and the lock's owner is gone.

    Raises:
        InputError: it is damaged otherwise.
    """
    path = out / JOURNAL
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if not path.exists():
        return
    found = path.read_bytes()
    whole = found[: found.rfind(b"\n") + 1]
    if whole != found:
        write_bytes(path, whole)
    try:
        for line in whole.splitlines():
            json.loads(line)
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): name another {option('out')}") from None


def distribution(found: Range) -> BaseDistribution:
    """As optuna has it; of values that it does not know, like tuples, the text."""
    if isinstance(found, Interval):
        return FloatDistribution(found.low, found.high, log=found.log)
    return CategoricalDistribution([journal_value(value) for value in found.values])


def journal_value(value: Any) -> Scalar:
    """What stands for a value in the journal.

    >>> journal_value((64, 32)), journal_value(None), journal_value(0.1)
    ('[64, 32]', None, 0.1)
    """
    return value if isinstance(value, Scalar) else json.dumps(value)


def journal_values(values: Mapping[str, Any], ranges: Mapping[str, Range]) -> dict[str, Scalar]:
    """`values` as the journal has them."""
    return {name: journal_value(values[name]) for name in ranges}


def values_of(params: Mapping[str, Any], ranges: Mapping[str, Range]) -> dict[str, Any]:
    """What a trial's parameters in the journal stand for."""
    found: dict[str, Any] = {}
    for name, value in params.items():
        space = ranges[name]
        if isinstance(space, Interval):
            found[name] = value
        else:
            found[name] = next(v for v in space.values if journal_value(v) == value)
    return found


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count: all that ended, but not those that were interrupted."""
    ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    return [t for t in ended if t.state != TrialState.FAIL or "reason" in t.user_attrs]


def begun_trials(study: optuna.Study) -> int:
    """Trials that have begun: of those to come, the first is the `begun`-th."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return len(study.get_trials(deepcopy=False)) - len(waiting)


def recover(study: optuna.Study) -> int:
    """Put the trials that were interrupted back to the front; how many there are.

    They go on from their checkpoints. One whose process died `ATTEMPTS` times has failed.
    """
    found = study.get_trials(states=(TrialState.RUNNING,))
    for trial in found:
        attempts = trial.user_attrs.get("attempts", 0) + ("stopped" not in trial.user_attrs)
        attributes = {"attempts": attempts, "place": place_of(trial)}
        params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        study.tell(trial.number, state=TrialState.FAIL)
        if attempts >= ATTEMPTS:
            reason = f"its process died {ATTEMPTS} times (out of memory?)"
            failed = optuna.trial.create_trial(
                state=TrialState.FAIL,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs={**trial.user_attrs, **attributes, "reason": reason},
            )
            study.add_trial(failed)
        elif params:
            study.enqueue_trial(params, user_attrs=attributes)
    return len(found)


def place_of(trial: FrozenTrial | optuna.Trial) -> str:
    """The folder of a trial's run; one that was interrupted goes on in its old one."""
    return str(trial.user_attrs.get("place", f"trial-{trial.number}"))
