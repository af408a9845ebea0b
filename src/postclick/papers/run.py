"""`reproduce`: train and judge the arms of a table or figure, and write what came of it."""

from collections.abc import Sequence
from pathlib import Path

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.labels import split_labels
from postclick.papers.document import to_json
from postclick.papers.experiment import Experiment
from postclick.papers.experiments import (
    choruscvr_fig3,
    choruscvr_table1,
    evi_fig2,
    evi_fig3,
    evi_table1,
    evi_table2,
)
from postclick.papers.judged import SPLIT, judged_runs
from postclick.papers.markdown import to_markdown
from postclick.papers.protocol import few_steps, paper_overrides, used_settings
from postclick.papers.reproduction import (
    LogFacts,
    Reproduction,
    costs,
    findings,
    measure,
)
from postclick.progress import Reporter, Silent
from postclick.reporting.compare import compare
from postclick.spelling import option
from postclick.suggest import meant
from postclick.system.files import write_json, write_text

EXPERIMENTS: dict[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (choruscvr_table1, choruscvr_fig3, evi_table1, evi_table2, evi_fig2, evi_fig3)
}


def find_experiment(name: str) -> Experiment:
    """The experiment called `name`.

    Raises:
        InputError: there is none; the message lists what there is.

    >>> find_experiment("evi-table1").where
    'Table 1'
    """
    if name not in EXPERIMENTS:
        raise InputError(
            f"there is no experiment {name!r}{meant(name, EXPERIMENTS)}"
            f"; there are {', '.join(EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]


def reproduce(
    name: str,
    data: PreparedLog | str | Path,
    out: str | Path,
    *,
    seeds: int | None = None,
    overrides: Sequence[str] = (),
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Reproduction:
    """Measure a table or figure of a paper on a prepared log, by the paper's protocol.

    Writes `<name>.md`, `<name>.json` and for figures `<name>.html` into `out`. The runs are in a
    folder of `out` for each paper, which its experiments share: an arm that two of them have is
    trained once, and an interrupted reproduction goes on where it was.

    Args:
        name: one of `EXPERIMENTS`, e.g. `evi-table2`.
        seeds: runs per arm; by default the paper's five.
        overrides: settings that win over the paper's, e.g. `["epochs=3"]`; the page lists them.
        workers: processes; by default one per core.

    Raises:
        InputError: no such experiment, a log without validation split or test conversions, an
            unknown setting, or `out` holds runs with other settings or of another log.
    """
    experiment = find_experiment(name)
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    count = experiment.seeds if seeds is None else seeds
    out, reporter = Path(out), reporter or Silent()
    _check(log)
    settings = used_settings(experiment, overrides)
    warning = few_steps(settings, log.split("train").rows)
    if warning is not None:
        reporter.line(f"warning: {warning}")
    comparison = compare(
        log,
        experiment.arms,
        out / experiment.paper.key,
        seeds=count,
        overrides=[*paper_overrides(experiment), *overrides],
        backbone=experiment.paper.backbone,
        split=SPLIT,
        trials=0,
        workers=workers,
        reporter=reporter,
    )
    runs = tuple(judged_runs(comparison, experiment.arms, split_labels(log, SPLIT)))
    results = measure(experiment, runs)
    found = Reproduction(
        experiment=experiment,
        folder=out,
        log=LogFacts.of(log),
        seeds=count,
        overrides=tuple(overrides),
        settings=settings,
        results=results,
        findings=findings(experiment, results),
        panels=experiment.panels(results, runs) if experiment.panels else (),
        costs=costs(experiment, runs),
        warning=warning,
    )
    write_text(out / f"{name}.md", to_markdown(found))
    write_json(out / f"{name}.json", to_json(found))
    if experiment.panels:
        # Imported here: plotly takes a second, and tables do without it.
        from postclick.papers.html import to_html

        write_text(out / f"{name}.html", to_html(found))
    return found


def _check(log: PreparedLog) -> None:
    """What every table needs of a log, before an hour is spent on it."""
    if "valid" not in log.manifest.splits:
        raise InputError(
            f"{log.folder} has no validation split, by which epochs are judged: prepare it with "
            f"{option('valid')} or a {option('valid_fraction')} above 0"
        )
    if log.split(SPLIT).conversions == 0:
        raise InputError(
            f"{log.folder} has no recorded conversion in its test split, so none of the papers' "
            "figures can be measured: use a log whose test rows are clicked and converted"
        )
