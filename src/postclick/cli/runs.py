"""Single runs: methods, train, evaluate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from postclick.cli.shared import (
    BadRowsOption,
    By,
    Data,
    ExposureAt,
    Json,
    Metrics,
    OneData,
    Out,
    RawLogs,
    Reads,
    Sets,
    Tracks,
    app,
    register_metrics,
)
from postclick.console import one_line_errors, print_json, print_tables, reporting
from postclick.spelling import counted


@app.command()
def methods(
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/methods.md.")] = False,
) -> None:
    """List the methods, one line each, with the paper.

    \b
    Example: postclick methods
    """
    from postclick.methods import REGISTRY
    from postclick.methods.describe import describe, to_markdown

    if markdown:
        return print(to_markdown(), end="")
    with one_line_errors():
        entries = [describe(method) for _, method in REGISTRY.items()]
    if json:
        return print_json(entries)
    for entry in entries:
        print(f"{entry['method']:<12} {entry['summary']}  [{entry['reference']}]")
        if entry["variants"]:
            print(f"{'':<12} variants: {', '.join(entry['variants'])}")
    return None


@app.command()
def train(
    data: Data,
    out: Out,
    method: Annotated[
        str | None,
        typer.Option(help="A name from 'postclick methods', or package.module:Class."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings (YAML), as a run writes.")] = None,
    sets: Sets = [],  # noqa: B006
    seed: Annotated[int | None, typer.Option(help="Same seed, same weights.")] = None,
    track: Tracks = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Train one method; an interrupted run is resumed by the same command.

    \b
    Example: postclick train data --method choruscvr --set epochs=5 --seed 0 --out run
    """
    from postclick.registry import command_for
    from postclick.runs.settings import RunSettings, load_config
    from postclick.training.train import train as run

    with one_line_errors(), reporting(json) as reporter:
        loaded = load_config(config) if config else None
        settings = RunSettings.make(method, config=loaded, overrides=sets, seed=seed)
        trained = run(data, settings, out, reporter=reporter, track=track)
    if json:
        return print_json({"run": str(out), "history": trained.history})
    command = command_for(trained.settings.method, trained.settings.network.backbone)
    epochs = counted(len(trained.history), "epoch")
    print(f"{out}: {epochs}; judge it with '{command} evaluate {out} {data}'")
    return None


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: OneData = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    log: RawLogs = [],  # noqa: B006 - typer copies it
    reads: Reads = [],  # noqa: B006
    on_bad_rows: BadRowsOption = "error",
    name: Annotated[
        str | None, typer.Option(help="Of the raw log in log_metrics.json [its path].")
    ] = None,
    by: By = "",
    top: Annotated[
        int, typer.Option(help="Values of a categorical feature that are shown; the rest is one.")
    ] = 20,
    exposure_at: ExposureAt = None,
    metrics: Metrics = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Judge a run on a split, or on a raw log of any day; RUN/metrics.json, RUN/log_metrics.json.

    \b
    Example: postclick evaluate run data --split test --by category,position

    \b
    Example: postclick evaluate run --log later.parquet
    """
    from postclick.runs.evaluate import evaluate as judge

    with one_line_errors():
        register_metrics(metrics)
        judgement = judge(
            run,
            data,
            split,
            by=by,
            top=top,
            log=log or None,
            read=reads,
            on_bad_rows=on_bad_rows,
            name=name,
            exposure_at=exposure_at,
        )
    if json:
        return print_json(judgement.as_dict())
    for line in _about(judgement.about) if log else ():
        print(line)
    for one in judgement.metrics:
        value = f"{one.value:.6f}" if one.value is not None else f"undefined: {one.undefined}"
        if one.groups is not None:
            value += f" ({counted(one.groups.used, 'group')}, {one.groups.one_class:,} of one class"
            value += f" left out, {counted(one.groups.rows_without, 'row')} without)"
        print(f"{one.metric:<20} {one.space:<10} {value}")
    if judgement.propensity is not None:
        held = judgement.propensity
        print(f"{'mean c/pi':<20} {'entire':<10} {held.click_over_pi:.6f}")
        print(f"{'mean (1-c)/(1-pi)':<20} {'entire':<10} {held.unclick_over_rest:.6f}")
    if judgement.by:
        from postclick.judging.terminal_tables import footnotes, tables

        file = "log_metrics.json" if log else "metrics.json"
        print_tables(tables(judgement.by), footnotes(judgement.by, file))
    return None


def _about(found: Mapping[str, Any]) -> list[str]:
    """What was judged of a raw log."""
    left_out = f", {found['left_out']:,} with wrong labels left out" if found["left_out"] else ""
    counts = ", ".join(counted(found[f"{what}s"], what) for what in ("row", "click", "conversion"))
    return [f"{found['log']}: {counts}{left_out}", *(f"note: {note}" for note in found["notes"])]
