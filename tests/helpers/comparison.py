"""A comparison's folder written by hand, in the formats of `compare`: nothing is trained for it."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from helpers.runs import overrides
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.diagnostics import DIAGNOSTICS, diagnose
from postclick.experiments.comparison.plan import Arm, Plan
from postclick.experiments.comparison.recommendation import recommend
from postclick.experiments.comparison.results import COLUMNS, RESULTS, SUMMARY
from postclick.experiments.comparison.row_tests import over_rows
from postclick.experiments.comparison.summary import Summary, protocol, summarise
from postclick.judging.labels import SplitLabels, split_labels
from postclick.judging.oracle import oracle_metrics
from postclick.methods.base import PropensityConfig
from postclick.metrics.metric import MetricValue
from postclick.metrics.sums import EvaluationSums
from postclick.runs.calibration_study import STUDY, calibration_study
from postclick.runs.clicked import Clicked
from postclick.runs.settings import RunSettings
from postclick.system.files import write_bytes, write_json, write_text

SPLIT, EPOCHS, TRIALS = "test", 4, 6
# A name that would do harm on a page, and in a plot, that takes it for HTML.
HOSTILE = '<img src=x onerror=alert(1)> & "co" </script>'
PLACES = {"fixed": "runs", "tuned": "tuned"}


def write_comparison(
    folder: Path,
    log: PreparedLog,
    arms: Sequence[str | Arm],
    seeds: int,
    *,
    tuned: bool,
    studied: bool = True,
) -> None:
    """Every file that the report reads, from made-up predictions that improve arm by arm."""
    labels = split_labels(log, SPLIT)
    plan = Plan.make(arms, seeds, overrides("esmm")[:-1])
    plan.claim(folder, log, trials=TRIALS if tuned else 0)
    names = list(PLACES) if tuned else ["fixed"]
    rows, places = [], {name: {label: [] for label in plan.labels} for name in names}
    for name in names:
        for job in plan.jobs:
            place = job.place.replace("runs", PLACES[name], 1)
            places[name][job.arm].append(place)
            scores = _predictions(labels, plan.labels.index(job.arm), job.seed, name == "tuned")
            metrics = _metrics(labels, scores)
            _write_run(folder / place, log, job.settings, scores, metrics)
            if studied:
                found = calibration_study(
                    _clicks(scores), scores["cvr_logit"].to_numpy(), labels, SPLIT
                )
                write_json(folder / place / STUDY, found)
            rows += [
                (name, job.arm, job.seed, m.metric, m.space, m.value, m.undefined) for m in metrics
            ]
    results = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    buffer = io.BytesIO()
    results.write_parquet(buffer)
    write_bytes(folder / RESULTS, buffer.getvalue())
    summaries = {
        name: over_rows(_summary(name, results, plan, log, labels), labels, folder, places[name])
        for name in names
    }
    diagnostics = diagnose(log, SPLIT, folder, places)
    main = names[-1]
    command = {
        arm: f"postclick calibrate {folder / of_arm[0]} {log.folder}"
        for arm, of_arm in places[main].items()
    }
    mine = results.filter(pl.col("protocol") == main)
    said = recommend(summaries[main], mine, diagnostics, main, command)
    told = {name: summary.as_dict() for name, summary in summaries.items()}
    write_json(folder / SUMMARY, {"answer": said.as_dict(), "protocols": told})
    write_json(folder / DIAGNOSTICS, diagnostics)


def _summary(
    name: str, results: pl.DataFrame, plan: Plan, log: PreparedLog, labels: SplitLabels
) -> Summary:
    chosen = {label: {"trial": 2, "lr": 0.001, "embedding_dim": None} for label in plan.labels}
    training, passes = plan.jobs[0].settings.training, dict.fromkeys(plan.labels, 2.0)
    how = protocol(plan, log, SPLIT, training, passes, chosen if name == "tuned" else {})
    oracle = oracle_metrics(log, SPLIT) if "true_cvr" in labels.truth else ()
    return summarise(results.filter(pl.col("protocol") == name), plan, how, oracle)


def _predictions(labels: SplitLabels, arm: int, seed: int, tuned: bool) -> pl.DataFrame:
    rng = np.random.default_rng([arm, seed, tuned])
    n = labels.click.size
    likely = labels.truth.get("true_cvr", labels.conversion)
    ctr = -1.3 + 1.2 * labels.click + rng.normal(0, 1, n)
    cvr = -1.4 + (1.0 + 0.3 * arm + 0.2 * tuned) * (likely - 0.25) + rng.normal(0, 0.5, n)
    return pl.DataFrame({"ctr_logit": ctr, "cvr_logit": cvr}).cast(pl.Float32)


def _clicks(scores: pl.DataFrame) -> Clicked:
    """Validation clicks on which pCVR is twice too high in odds."""
    rng = np.random.default_rng(scores.height)
    ctr, cvr = (scores[name].to_numpy()[:400] for name in ("ctr_logit", "cvr_logit"))
    conversion = rng.random(cvr.size) < 1 / (1 + 2 * np.exp(-cvr))
    return Clicked(ctr.astype(np.float64), cvr.astype(np.float64), conversion, (0.01, 0.99))


def _metrics(labels: SplitLabels, scores: pl.DataFrame) -> list[MetricValue]:
    sums = EvaluationSums()
    sums.update(
        scores["ctr_logit"].to_numpy(),
        scores["cvr_logit"].to_numpy(),
        labels.click,
        labels.conversion,
        true_cvr=labels.truth.get("true_cvr"),
    )
    return sums.compute()


def _write_run(
    run: Path,
    log: PreparedLog,
    settings: RunSettings,
    scores: pl.DataFrame,
    metrics: list[MetricValue],
) -> None:
    (run / "predictions").mkdir(parents=True)
    scores.write_parquet(run / "predictions" / f"{SPLIT}.parquet")
    log.manifest.write(run)
    write_text(run / "config.yaml", settings.to_yaml())
    write_bytes(run / "model.safetensors", b"")
    info = {"data": str(log.folder), "data_fingerprint": log.fingerprint, "python": "3.12.1"}
    write_json(run / "run.json", {**info, "packages": {"postclick": "0.1.0", "torch": "2.13.0"}})
    weighs = isinstance(settings.method_config, PropensityConfig)
    checks = {"click_over_pi": 1.02, "unclick_over_rest": 0.99}
    entry = {
        "metrics": [m.as_dict() for m in metrics],
        **({"propensity": checks} if weighs else {}),
    }
    write_json(run / "metrics.json", {SPLIT: entry})
    lines = []
    for epoch in range(1, EPOCHS + 1):
        terms = {"ctr": 0.5 / epoch, "cvr": 0.4 / epoch, "ctcvr": 0.02 / epoch}
        record = {"phase": "joint", "epoch": epoch, "terms": terms, "best": epoch == 2}
        record["valid"] = {"cvr_auc": 0.6 + 0.01 * epoch, "cvr_nll": 0.5 - 0.01 * epoch}
        if weighs:
            record |= {"clip_share": 0.04, "effective_sample_size": 700.0, "clicks": 1000.0}
        lines.append(record)
    write_text(run / "history.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
