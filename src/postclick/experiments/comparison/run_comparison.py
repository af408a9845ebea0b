"""Methods x seeds on one prepared log: the same protocol for all, judged on held-out data."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.comparison.diagnostics import DIAGNOSTICS, diagnose
from postclick.experiments.comparison.gather import (
    RESULTS,
    SUMMARY,
    Comparison,
    fixed_part,
    gather,
    tuned_part,
)
from postclick.experiments.comparison.plan import FIXED_BACKBONE, Arm, Plan
from postclick.experiments.comparison.trials import trial_jobs
from postclick.experiments.comparison.workers import Team, pool_for
from postclick.judging.feature_values import feature_names, feature_values
from postclick.progress import Reporter, Silent
from postclick.system.files import locked, make_folder, write_bytes, write_json
from postclick.system.threads import cores
from postclick.tracking.group import Group

TRIALS = 6


def run_comparison(
    data: PreparedLog | str | Path,
    methods: str | Sequence[str | Arm],
    out: str | Path,
    *,
    seeds: int = 5,
    overrides: Sequence[str] = (),
    backbone: str = FIXED_BACKBONE,
    split: str = "test",
    trials: int = TRIALS,
    workers: int | None = None,
    reporter: Reporter | None = None,
    track: Sequence[str] = (),
    by: str | Sequence[str] = (),
    write_page: Callable[[Path], Path],
) -> Comparison:
    """Train, judge and summarise, and have `write_page` make a page of the folder at the end.

    What users call is `postclick.compare`, which says what the arguments mean.
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
        group = Group(track, out, reporter)
        # One pool for all: its processes load torch and the log once.
        most = max(len(plan.jobs), trials * len(plan.arms))
        with pool_for(workers or cores(), most, reporter) as pool:
            team = Team(log, out, split, pool, reporter, group.places, features)
            team.run(plan.jobs)
            parts = {"fixed": fixed_part(plan)}
            if trials:
                team.run(trial_jobs(plan, trials))
                parts["tuned"] = tuned_part(plan, trials, out)
                team.run(parts["tuned"].jobs)
        found = gather(log, plan, parts, out, split)
        parquet = io.BytesIO()
        found.results.write_parquet(parquet)
        write_bytes(out / RESULTS, parquet.getvalue())
        write_json(out / SUMMARY, found.as_dict())
        places = {name: part.places(plan) for name, part in parts.items()}
        write_json(out / DIAGNOSTICS, diagnose(log, split, out, places))
        group.finish({}, [out / RESULTS, out / SUMMARY, write_page(out)])
    return found
