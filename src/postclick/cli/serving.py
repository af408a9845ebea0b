"""From a run to scores: export, score."""

from pathlib import Path
from typing import Annotated

import typer

from postclick.cli.shared import ExposureAt, Json, Logs, Out, Reads, app, names
from postclick.console import one_line_errors, print_json, reporting
from postclick.spelling import counted

Threads = Annotated[int | None, typer.Option(help="Threads; one per core.")]


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Out,
    calibrated: Annotated[
        bool, typer.Option(help="Apply what 'postclick calibrate' fitted, if it did.")
    ] = True,
    negative_rate: Annotated[
        float, typer.Option(help="Share of negatives that the log came with, before 'prepare'.")
    ] = 1.0,
    user_features: Annotated[
        str, typer.Option(help="Features that the candidates of a request share, a,b,c.")
    ] = "",
    exposure_at: ExposureAt = None,
    json: Json = False,
) -> None:
    """Write a bundle that scores raw rows without torch, checked against the run.

    \b
    Example: postclick export run --out bundle
    """
    from postclick.serving.bundle.export import export as run_export

    with one_line_errors(), reporting(json) as reporter:
        bundle = run_export(
            run,
            out,
            calibrated=calibrated,
            negative_rate=negative_rate,
            user_features=names(user_features),
            exposure_at=exposure_at,
            reporter=reporter,
        )
    info = bundle.info
    size = sum(file.size for file in info.files.values())
    kind = "none" if info.calibration is None else info.calibration["kind"]
    if json:
        return print_json(
            {
                "bundle": str(out),
                "version": bundle.version,
                "method": info.method,
                "bytes": size,
                "calibration": kind,
                "parity": info.parity.model_dump(mode="json"),
            }
        )
    batches = ", ".join(f"{rows:,}" for rows in info.parity.rows)
    if info.exposure is not None:
        kind += f", pCTR at {info.exposure.column} = {info.exposure.at}"
    files = f"{len(info.files) + 1} files, {size / 1e6:,.1f} MB"
    print(f"{out}: {info.method}, {files}, calibration: {kind}")
    print(
        f"largest difference of a probability to torch: {info.parity.largest_difference:.1e} "
        f"(batches of {batches})"
    )
    return None


@app.command()
def score(
    bundle: Annotated[Path, typer.Argument(help="A bundle, as 'postclick export' makes it.")],
    logs: Logs,
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="File to write or replace: .parquet, .arrow, .csv, .tsv, .jsonl, .csv.gz."
        ),
    ],
    keep: Annotated[str, typer.Option(help="Raw columns to copy beside the scores.")] = "",
    reads: Reads = [],  # noqa: B006 - typer copies it
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Score every row of a log, in order: pctr, pcvr and pctcvr.

    \b
    Example: postclick score bundle log.csv --out scores.parquet --keep user,item
    """
    from postclick.serving.score_log import score as run_score

    with one_line_errors(), reporting(json) as reporter:
        done = run_score(
            bundle,
            logs,
            out,
            keep=names(keep),
            read=reads,
            threads=threads,
            reporter=reporter,
        )
    if json:
        return print_json({"out": str(out), "rows": done.rows, "seconds": round(done.seconds, 3)})
    print(
        f"{out}: {counted(done.rows, 'row')} in {done.seconds:.1f} s "
        f"({done.rows_per_second:,.0f}/s)"
    )
    return None
