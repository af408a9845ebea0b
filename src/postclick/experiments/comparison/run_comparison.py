"""Methods x seeds on one prepared log: the same protocol for all, judged on held-out data."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.comparison.diagnostics import DIAGNOSTICS, diagnose
from postclick.experiments.comparison.plan import Arm, Plan
from postclick.experiments.comparison.results import (
    RESULTS,
    SUMMARY,
    Comparison,
    answered,
    fixed_runs,
    gather_results,
    tuned_runs,
)
from postclick.experiments.comparison.run_jobs import JobRunner, pool_if_needed
from postclick.experiments.comparison.trials import trial_jobs
from postclick.judging.feature_values import feature_names, feature_values
from postclick.methods.base import Method
from postclick.metrics.catalogue import added_metrics
from postclick.nn.backbones import Backbone
from postclick.progress import Reporter, Silent
from postclick.registry import place_of, require_importable
from postclick.system.files import locked, make_folder, write_bytes, write_json
from postclick.system.threads import cores
from postclick.tracking.tracked_group import TrackedGroup


def run_comparison(
    data: PreparedLog | str | Path,
    methods: "str | Sequence[str | type[Method[Any]] | Arm]",
    out: str | Path,
    *,
    seeds: int,
    overrides: Sequence[str],
    backbone: Backbone,
    split: str,
    trials: int,
    workers: int | None,
    reporter: Reporter | None,
    track: Sequence[str],
    by: str | Sequence[str],
    write_page: Callable[[Path], Path],
) -> Comparison:
    """Train, judge and summarise, and have `write_page` make a page of the folder at the end.

    What users call is `postclick.compare`, which says what the arguments mean and what they are if
    they are not given.
    """
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    out, reporter = Path(out), reporter or Silent()
    given = [n.strip() for n in methods.split(",")] if isinstance(methods, str) else methods
    plan = Plan.make([arm for arm in given if arm], seeds, overrides, backbone)
    if trials < 0:
        raise InputError(f"trials is {trials}: give 0 or more")
    log.split(split)
    features = tuple(feature_names(by))
    for name in features:
        feature_values(log, name)  # refused before anything is trained
    make_folder(out)
    with locked(out / "compare.lock", out):
        plan.claim(out, log, trials)
        group = TrackedGroup(track, out, reporter)
        # One pool for all: its processes load torch and the log once.
        most = max(len(plan.jobs), trials * len(plan.arms))
        workers = min(workers or cores(), most)
        if workers > 1:
            for place in (*(arm.method for arm in plan.arms), *map(place_of, added_metrics())):
                require_importable(place)
        with pool_if_needed(workers, most, reporter) as pool:
            runner = JobRunner(log, out, split, pool, reporter, group.places, features)
            runner.run(plan.jobs)
            protocols = {"fixed": fixed_runs(plan)}
            if trials:
                runner.run(trial_jobs(plan, trials))
                protocols["tuned"] = tuned_runs(plan, trials, out)
                runner.run(protocols["tuned"].jobs)
        found = gather_results(log, plan, protocols, out, split)
        folders = {name: runs.run_folders(plan) for name, runs in protocols.items()}
        diagnostics = diagnose(log, split, out, folders)
        found = answered(found, diagnostics, protocols, plan, log)
        parquet = io.BytesIO()
        found.results.write_parquet(parquet)
        write_bytes(out / RESULTS, parquet.getvalue())
        write_json(out / SUMMARY, found.as_dict())
        write_json(out / DIAGNOSTICS, diagnostics)
        group.finish({}, [out / RESULTS, out / SUMMARY, write_page(out)])
    return found
