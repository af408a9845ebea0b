"""The second table of a comparison: each method tuned on validation, all with the same effort."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from postclick.errors import InputError
from postclick.experiments.comparison.plan import Job, Plan
from postclick.experiments.tuning.shared_ranges import COMPARED, LONGER, PATIENCE
from postclick.metrics.catalogue import better
from postclick.runs.kept_epoch import best_value
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings, value_of, with_values


@dataclass(frozen=True)
class ChosenTrial:
    """What the trials of an arm chose: settings, and what they reached on validation."""

    arm: str
    trial: int
    settings: RunSettings
    value: float

    @property
    def tuned(self) -> dict[str, Any]:
        """The settings that trials vary, as chosen."""
        return {
            "trial": self.trial,
            "validation": self.value,
            **{n.partition(".")[2]: value_of(self.settings, n) for n in drawn_for(self.settings)},
        }


def draw_settings(settings: RunSettings, trial: int) -> RunSettings:
    """Settings of a trial: trial 0 has the given ones, trial k the same draw for every method.

    Drawn are the settings of `COMPARED`, learning rate and weight decay relative to the given
    ones. Every trial may train `LONGER` times as long and keeps its best epoch by the monitored
    validation metric.

    >>> a, b = RunSettings.make("esmm"), RunSettings.make("evi")
    >>> draw_settings(a, 3).training == draw_settings(b, 3).training
    True
    """
    if settings.fits_itself:
        return _draw_options(settings, trial)
    training: dict[str, Any] = {
        "epochs": LONGER * settings.training.epochs,
        "patience": PATIENCE,
        "keep": "best",
    }
    drawn: dict[str, dict[str, Any]] = {"training": training, "network": {}}
    if trial > 0:
        rng = np.random.default_rng([2026, trial])
        for name, space in COMPARED.items():
            section, _, key = name.partition(".")
            drawn[section][key] = space.draw(rng, value_of(settings, name))
    return settings.model_copy(
        update={
            "training": settings.training.model_copy(update=training),
            "network": settings.network.model_copy(update=drawn["network"]),
        }
    )


def drawn_for(settings: RunSettings) -> tuple[str, ...]:
    """What trials vary of a method: `COMPARED`, or the options of one that fits itself."""
    if settings.fits_itself:
        return tuple(f"options.{name}" for name in settings.method_config.search)
    return tuple(COMPARED)


def _draw_options(settings: RunSettings, trial: int) -> RunSettings:
    """Trial 0 has the given options, trial k a draw of each that may be varied."""
    if trial == 0:
        return settings
    rng = np.random.default_rng([2026, trial])
    spaces = settings.method_config.searched()
    drawn = {
        f"options.{name}": space.draw(rng, value_of(settings, f"options.{name}"))
        for name, space in spaces.items()
    }
    return with_values(settings, drawn)


def trial_jobs(plan: Plan, trials: int) -> list[Job]:
    """One run for each arm and trial, with the first seed; none of them is judged on test."""
    first = [job for job in plan.jobs if job.seed == plan.seeds[0]]
    return [
        replace(
            job,
            settings=draw_settings(job.settings, trial),
            place=f"trials/{arm.folder}/trial-{trial}",
            judged=False,
        )
        for arm, job in zip(plan.arms, first, strict=True)
        for trial in range(trials)
    ]


def choose_trials(jobs: list[Job], out: Path) -> dict[str, ChosenTrial]:
    """The best trial of each arm by its monitored metric on the validation split."""
    chosen: dict[str, ChosenTrial] = {}
    for job in jobs:
        if not job.folder(out).exists():
            continue  # it diverged
        monitor = job.settings.training.monitor
        value = best_value(Run(job.folder(out)), monitor)
        held = chosen.get(job.arm)
        if held is None or better(monitor, value, held.value):
            trial = int(job.place.rpartition("-")[2])
            chosen[job.arm] = ChosenTrial(job.arm, trial, job.settings, value)
    failed = next((job.arm for job in jobs if job.arm not in chosen), None)
    if failed is not None:
        raise InputError(f"every trial of {failed} diverged: lower training.lr")
    return chosen


def tuned_jobs(plan: Plan, chosen: dict[str, ChosenTrial]) -> tuple[Job, ...]:
    """Every arm with the settings of its best trial, once for each seed."""
    return tuple(
        replace(
            job,
            settings=chosen[job.arm].settings.model_copy(update={"seed": job.seed}),
            place=job.place.replace("runs/", "tuned/", 1),
        )
        for job in plan.jobs
    )
