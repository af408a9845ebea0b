"""`judge`: predictions of any models, runs or bundles, on a log of any day."""

from pathlib import Path
from typing import Annotated

import typer

from postclick.cli.shared import (
    ExposureAt,
    Json,
    Logs,
    Metrics,
    Reads,
    app,
    names,
    register_metrics,
)
from postclick.console import one_line_errors, print_bold, print_json, print_tables, reporting

Column = Annotated[str | None, typer.Option()]


@app.command()
def judge(
    log: Logs,
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            help="NAME=pctr:COLUMN,pcvr:COLUMN, or NAME=FOLDER of a run or bundle; may be "
            "repeated. By default columns pctr, pcvr, pctcvr; of several models pcvr_NAME.",
        ),
    ] = [],  # noqa: B006
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for report.html, summary.json and Parquet; must not exist."),
    ] = None,
    schema: Annotated[Path | None, typer.Option(help="The log's schema (YAML).")] = None,
    click: Annotated[str, typer.Option(help="Column [click], or a rule: 'clicks > 0'.")] = "",
    conversion: Annotated[
        str, typer.Option(help="Column [conversion], or a rule: 'price > 0'.")
    ] = "",
    by: Annotated[str, typer.Option(help="Features, comma separated: judged value by value.")] = "",
    group: Annotated[
        str | None, typer.Option(help="Rows that belong together, such as a user's.")
    ] = None,
    weight: Annotated[str | None, typer.Option(help="How many impressions a row is.")] = None,
    time: Annotated[str | None, typer.Option(help="Moment of the impression.")] = None,
    exposure: Annotated[
        str | None, typer.Option(help="What moves clicks but not conversions: a position.")
    ] = None,
    propensity: Annotated[
        str | None,
        typer.Option(
            help="For the entire space: a column, pctr (each model's own), or fit (on --features)."
        ),
    ] = None,
    features: Annotated[
        str, typer.Option(help="Features to fit the propensity on, comma separated [--by].")
    ] = "",
    clip: Annotated[float, typer.Option(help="Least propensity in weights.")] = 0.001,
    true_cvr: Annotated[str | None, typer.Option(help="Column with the true CVR.")] = None,
    potential_conversion: Annotated[
        str | None, typer.Option(help="Column with what would have happened if clicked.")
    ] = None,
    randomised: Annotated[
        str | None, typer.Option(help="Column: probability of a random impression, else 0.")
    ] = None,
    randomised_log: Annotated[
        str | None, typer.Option(help="A second log, of random impressions alone.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="The model to beat [the first].")] = None,
    top: Annotated[int, typer.Option(help="Values of a category that are shown.")] = 20,
    level: Annotated[float, typer.Option(help="Of intervals.")] = 0.95,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap, 40 or more.")] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same intervals.")] = 0,
    on_bad_rows: Annotated[
        str, typer.Option(help="Rows whose labels cannot be: error or drop.")
    ] = "error",
    calibrated: Annotated[bool, typer.Option(help="Use the calibrators that runs have.")] = True,
    exposure_at: ExposureAt = None,
    read: Reads = [],  # noqa: B006
    metrics: Metrics = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Judge predictions on a log: how wrong, where, and is one model better.

    \b
    Example: postclick judge scored.parquet --group user --by shop --out judged
    Example: postclick judge later.csv --model a=run --model b=bundle --out judged
    """
    from postclick.judgements.judge_log import judge as run
    from postclick.judgements.terminal import bold, lines, tables

    with one_line_errors(), reporting(json) as reporter:
        register_metrics(metrics)
        judged = run(
            *log,
            models=list(model),
            out=out,
            schema=schema,
            click=click or None,
            conversion=conversion or None,
            by=names(by),
            group=group,
            weight=weight,
            time=time,
            exposure=exposure,
            propensity=propensity,
            features=names(features),
            clip=clip,
            true_cvr=true_cvr,
            potential_conversion=potential_conversion,
            randomised=randomised,
            randomised_log=randomised_log,
            against=against,
            top=top,
            level=level,
            resamples=resamples,
            seed=seed,
            on_bad_rows=on_bad_rows,  # type: ignore[arg-type]
            calibrated=calibrated,
            exposure_at=exposure_at,
            read=read,
            reporter=reporter,
        )
    if json:
        return print_json(judged.as_dict())
    print_bold(bold(judged))
    print_tables(tables(judged), lines(judged))
    if out is not None:
        print(f"written: {out / 'report.html'}, summary.json, figures.parquet and others")
    return None
