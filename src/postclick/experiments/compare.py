"""Methods x seeds on one prepared log: the same protocol for all, judged on held-out data."""

import io
from collections.abc import Sequence
from pathlib import Path

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.diagnostics import DIAGNOSTICS, diagnose
from postclick.experiments.gather import (
    RESULTS,
    SUMMARY,
    Comparison,
    fixed_part,
    gather,
    tuned_part,
)
from postclick.experiments.plan import FIXED_BACKBONE, Arm, Plan
from postclick.experiments.trials import trial_jobs
from postclick.experiments.workers import Team, pool_for
from postclick.files import locked, make_folder, write_bytes, write_json
from postclick.progress import Reporter, Silent
from postclick.threads import cores
from postclick.tracking.group import Group

TRIALS = 6


def compare(
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
) -> Comparison:
    """Train every method with every seed, judge each run on `split`, and summarise.

    Two tables: in `summary` every method has the same settings, trains for the same number of
    passes and keeps what it has then; in `tuned` each has the best of `trials` settings, the same
    draws for all, and its own best length, both chosen on the validation split with one seed.

    Runs that are already in `out` are kept, an interrupted one is resumed. The backbone is the
    same for all methods unless `backbone="auto"` asks for each paper's own.

    Args:
        methods: names or variants (`evi`, `choruscvr/no_sam`), `all`, or `Arm`s with settings of
            their own; one text may name several, separated by commas.
        overrides: settings for all methods, e.g. `["epochs=3"]`.
        trials: settings tried per method for the second table; 0 leaves it out.
        workers: processes; by default one per core.
        track: where to track the runs, e.g. `["mlflow"]`, as parts of the comparison.

    Raises:
        InputError: an unknown method or setting, or `out` holds another comparison.
    """
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    out, reporter = Path(out), reporter or Silent()
    given = [n.strip() for n in methods.split(",")] if isinstance(methods, str) else methods
    plan = Plan.make([arm for arm in given if arm], seeds, overrides, backbone)
    if trials < 0:
        raise InputError(f"trials is {trials}: give 0 or more")
    log.split(split)
    make_folder(out)
    with locked(out / "compare.lock", out):
        plan.claim(out, log, trials)
        group = Group(track, out, reporter)
        # One pool for all: its processes load torch and the log once.
        most = max(len(plan.jobs), trials * len(plan.arms))
        with pool_for(workers or cores(), most, reporter) as pool:
            team = Team(log, out, split, pool, reporter, group.places)
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
        # Imported here: plotly takes a second, and who only imports compare does without it.
        from postclick.reporting import report

        page = report(out)
        group.finish({}, [out / RESULTS, out / SUMMARY, page])
    return found
