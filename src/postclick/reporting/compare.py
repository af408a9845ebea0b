"""`compare`: methods x seeds on one log, and the report on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import FIXED_BACKBONE, Arm
from postclick.experiments.comparison.results import Comparison
from postclick.experiments.comparison.run_comparison import run_comparison
from postclick.methods.base import Method
from postclick.nn.backbones import Backbone
from postclick.progress import Reporter

TRIALS = 6


def compare(
    data: PreparedLog | str | Path,
    methods: "str | Sequence[str | type[Method[Any]] | Arm]",
    out: str | Path,
    *,
    seeds: int = 5,
    overrides: Sequence[str] = (),
    backbone: Backbone = FIXED_BACKBONE,
    split: str = "test",
    trials: int = TRIALS,
    workers: int | None = None,
    reporter: Reporter | None = None,
    track: Sequence[str] = (),
    by: str | Sequence[str] = (),
) -> Comparison:
    """Train every method with every seed, judge each run on `split`, summarise and report.

    Two tables: in `summary` every method has the same settings, trains for the same number of
    passes and keeps what it has then; in `tuned` each has the best of `trials` settings, the same
    draws for all, and its own best length, both chosen on the validation split with one seed.

    Runs that are already in `out` are kept, an interrupted one is resumed. The backbone is the
    same for all methods unless `backbone="auto"` asks for each paper's own.

    Args:
        methods: names or variants (`evi`, `choruscvr/no_sam`), places (`package.module:Class`),
            classes, `all`, or `Arm`s with settings of their own; one text may name several,
            separated by commas.
        overrides: settings for all methods, e.g. `["epochs=3"]`.
        trials: settings tried per method for the second table; 0 leaves it out.
        workers: processes; by default one per core.
        track: where to track the runs, e.g. `["mlflow"]`, as parts of the comparison.
        by: features, for each of whose values every run is judged as well (`Run.evaluate`).

    Raises:
        InputError: an unknown method, setting or feature, or `out` holds another comparison.
    """
    return run_comparison(
        data,
        methods,
        out,
        seeds=seeds,
        overrides=overrides,
        backbone=backbone,
        split=split,
        trials=trials,
        workers=workers,
        reporter=reporter,
        track=track,
        by=by,
        write_page=_report,
    )


def _report(folder: Path) -> Path:
    # Imported here: plotly takes a second, and who only imports compare does without it.
    from postclick.reporting.page import report

    return report(folder)
