"""Many runs, and what they show: compare, report, tune, reproduce, audit, ceiling."""

from pathlib import Path
from typing import Annotated

import typer

from postclick.cli.shared import (
    By,
    Data,
    Json,
    Kept,
    Metrics,
    Seed,
    Sets,
    Tracks,
    Workers,
    app,
    names,
    register_metrics,
)
from postclick.console import one_line_errors, print_answer, print_json, print_tables, reporting


@app.command()
def compare(
    data: Data,
    out: Kept,
    methods: Annotated[str, typer.Option(help="Names or variants, comma separated, or all.")] = (
        "all"
    ),
    seeds: Annotated[int, typer.Option(help="Runs per method.")] = 5,
    sets: Sets = [],  # noqa: B006
    backbone: Annotated[
        str, typer.Option(help="The same for all, such as mmoe, or auto: each paper's own.")
    ] = "share_bottom",
    split: Annotated[str, typer.Option(help="The split to judge on.")] = "test",
    trials: Annotated[
        int, typer.Option(help="Settings tried per method for the tuned table; 0: no such table.")
    ] = 6,
    workers: Workers = None,
    by: By = "",
    metrics: Metrics = [],  # noqa: B006
    track: Tracks = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Train methods x seeds on one log and judge them by one protocol.

    \b
    Example: postclick compare data --methods esmm,evi,choruscvr --seeds 5 --out results
    """
    from postclick.experiments.comparison.terminal_tables import footnotes, tables
    from postclick.reporting.compare import compare as run

    with one_line_errors(), reporting(json) as reporter:
        register_metrics(metrics)
        result = run(
            data,
            methods,
            out,
            seeds=seeds,
            overrides=sets,
            backbone=backbone,
            split=split,
            trials=trials,
            workers=workers,
            reporter=reporter,
            track=track,
            by=by,
        )
    if json:
        return print_json(result.as_dict())
    for summary in (result.summary, result.tuned):
        if summary is not None:
            print_tables(tables(summary), footnotes(summary))
    print(f"results: {out}/report.html, {out}/results.parquet, {out}/summary.json")
    if result.answer is not None:
        if result.answer.calibrate is not None:
            print(f"calibrate it with '{result.answer.calibrate}'")
        print_answer(result.answer.sentence)
    return None


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="What 'postclick compare' wrote.")],
    metrics: Metrics = [],  # noqa: B006
) -> None:
    """Write a comparison's report.html again: one page, to be opened without a network.

    \b
    Example: postclick report results
    """
    from postclick.reporting.page import report as run

    with one_line_errors():
        register_metrics(metrics)
        page = run(folder)
    print(page)


@app.command()
def tune(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder; a search in it goes on.")],
    method: Annotated[str, typer.Option(help="A name from 'postclick methods'.")],
    trials: Annotated[int, typer.Option(help="How many in all, earlier ones included.")] = 30,
    metric: Annotated[
        str, typer.Option(help="Validation metric: cvr_nll, ctcvr_nll, ctr_nll, or _auc of these.")
    ] = "cvr_nll",
    sets: Annotated[
        list[str], typer.Option("--set", help="key=value for all trials; may be repeated.")
    ] = [],  # noqa: B006
    seed: Seed = 0,
    workers: Workers = None,
    timeout: Annotated[
        float | None, typer.Option(help="Minutes after which no trial begins.")
    ] = None,
    keep_best: Annotated[
        bool, typer.Option("--keep-best", help="Train the best settings into OUT/best.")
    ] = False,
    track: Tracks = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Search a method's settings on the validation split; repeat the command to go on.

    \b
    Example: postclick tune data --method escm2_ipw --trials 30 --out tuned
    """
    from postclick.experiments.tuning.terminal_tables import footnotes, tables
    from postclick.experiments.tuning.tune import tune as run
    from postclick.registry import command_for

    with one_line_errors(), reporting(json) as reporter:
        found = run(
            data,
            method,
            out,
            trials=trials,
            seed=seed,
            metric=metric,
            overrides=sets,
            workers=workers,
            timeout=timeout,
            keep_best=keep_best,
            reporter=reporter,
            track=track,
        )
    if json:
        return print_json(found.as_dict())
    print_tables(tables(found), footnotes(found))
    command = command_for(found.best.method, found.best.network.backbone)
    print(f"train it with '{command} train {data} --config {out}/best.yaml --out run'")
    return None


@app.command()
def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            help="choruscvr-table1, choruscvr-fig3, evi-table1, evi-table2, evi-fig2 or evi-fig3."
        ),
    ],
    data: Annotated[Path, typer.Option("--data", help="A prepared log.")],
    out: Kept,
    seeds: Annotated[int | None, typer.Option(help="Runs per arm; by default five.")] = None,
    sets: Sets = [],  # noqa: B006
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Measure a table or figure of the papers on a prepared log, and test what they say of it.

    \b
    Example: postclick reproduce evi-table1 --data data --out reproduction --seeds 5
    """
    from postclick.papers import reproduce as run
    from postclick.papers.document import to_json

    with one_line_errors(), reporting(json) as reporter:
        found = run(
            name, data, out, seeds=seeds, overrides=sets, workers=workers, reporter=reporter
        )
    if json:
        return print_json(to_json(found))
    for finding in found.findings:
        print(f"{finding.verdict:<14} {finding.claim.text}")
    print(f"written: {', '.join(map(str, found.files))}")
    return None


@app.command()
def audit(
    methods: Annotated[
        str, typer.Option(help="Names or variants, comma separated, or all with variants.")
    ] = "all",
    populations: Annotated[
        str, typer.Option(help="Comma separated; exposed and exposed_skewed besides.")
    ] = "none,positive,negative,hidden",
    workers: Workers = None,
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Show what each method converges to when data are infinite and everything is known.

    \b
    Example: postclick audit --methods esmm,evi,choruscvr --populations positive
    """
    from postclick.audit import audit as run
    from postclick.audit.audit_tables import footnotes, markdown_table, terminal_table
    from postclick.system.threads import cores

    chosen = None if methods == "all" else names(methods)
    with one_line_errors(), reporting(json or markdown) as reporter:
        entries = run(chosen, names(populations), workers=workers or cores(), reporter=reporter)
    if json:
        return print_json([entry.as_dict() for entry in entries])
    if markdown:
        return print(markdown_table(entries), end="")
    return print_tables([terminal_table(entries)], footnotes())


@app.command()
def ceiling(
    world: Annotated[str, typer.Argument(help="A name from 'postclick simulate --worlds'.")],
    rows: Annotated[
        int | None, typer.Option(help="Impressions, train and test together [the world's own].")
    ] = None,
    ctr: Annotated[float | None, typer.Option(help="Mean click rate [the world's own].")] = None,
    cvr: Annotated[
        float | None, typer.Option(help="Mean conversion rate of clicks [the world's own].")
    ] = None,
    draws: Annotated[int, typer.Option(help="Draws of the world, each with 4 runs.")] = 3,
    method: Annotated[str, typer.Option(help="A name from 'postclick methods'.")] = "naive",
    sets: Annotated[
        list[str], typer.Option("--set", help="Of the world, key=value; may be repeated.")
    ] = [],  # noqa: B006
    seed: Seed = 0,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Show what selection costs and what labels cost, where the truth is known.

    \b
    Example: postclick ceiling confounded --rows 60000 --ctr .1 --cvr .1
    """
    from postclick.datasets.opening import parse_options
    from postclick.experiments.ceiling import ceiling as run
    from postclick.experiments.ceiling.terminal_table import footnotes, table

    with one_line_errors(), reporting(json) as reporter:
        found = run(
            world,
            rows=rows,
            ctr=ctr,
            cvr=cvr,
            draws=draws,
            method=method,
            options=parse_options(sets),
            seed=seed,
            workers=workers,
            reporter=reporter,
        )
    if json:
        return print_json(found.as_dict())
    for sentence in found.sentences:
        print_answer(sentence)
    return print_tables([table(found)], footnotes(found))
