"""The command line: one thin command per public function."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from postclick.console import OneLineGroup, one_line_errors, print_json, print_tables, reporting

app = typer.Typer(
    name="postclick",
    help="Post-click conversion-rate (CVR) estimation over the entire impression space.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    cls=OneLineGroup,
)

BadRows = Literal["error", "drop", "keep"]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write; must not exist.")]
Data = Annotated[Path, typer.Argument(help="A prepared log.")]
Sets = Annotated[list[str], typer.Option("--set", help="A setting as key=value; may be repeated.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]


@app.command()
def methods(
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/methods.md.")] = False,
) -> None:
    """List the methods, one line each, with the paper.

    Example: `postclick methods`
    """
    from postclick.methods import METHODS
    from postclick.methods.describe import describe, to_markdown

    if markdown:
        return print(to_markdown(), end="")
    entries = [describe(method) for method in METHODS.values()]
    if json:
        return print_json(entries)
    for entry in entries:
        print(f"{entry['method']:<12} {entry['summary']}  [{entry['reference']}]")
        if entry["variants"]:
            print(f"{'':<12} variants: {', '.join(entry['variants'])}")
    return None


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    world: Annotated[str, typer.Option(help="independent, confounded, adverse or hidden.")] = (
        "confounded"
    ),
    rows: Annotated[int, typer.Option(help="Impressions, train and test together.")] = 400_000,
    seed: Seed = 0,
    ctr: Annotated[float, typer.Option(help="Mean click rate.")] = 0.05,
    cvr: Annotated[float, typer.Option(help="Mean conversion rate of clicks.")] = 0.03,
    dependence: Annotated[
        float | None, typer.Option(help="Correlation of clicking and converting, -1 to 1.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a simulated log whose true CVR is known for every impression.

    Example: `postclick simulate world --world confounded --rows 400000 --seed 0`
    """
    from postclick.datasets.simulated import write_simulated

    with one_line_errors():
        log = write_simulated(out, world, rows, seed, ctr=ctr, cvr=cvr, dependence=dependence)
    if json:
        return print_json({"out": str(out), "oracle": log.oracle})
    print(f"{out}: train.parquet ({log.train.height:,} rows), test.parquet ({log.test.height:,})")
    for name, value in log.oracle.items():
        print(f"  oracle {name:<28} {value:.4f}")
    return None


@app.command()
def check(
    logs: Annotated[list[Path], typer.Argument(help="CSV or Parquet files, or folders.")],
    schema: Annotated[Path | None, typer.Option(help="The log's schema (YAML).")] = None,
    test: Annotated[list[Path] | None, typer.Option(help="Test log, for overlap checks.")] = None,
    propose: Annotated[bool, typer.Option("--propose", help="Print a draft schema.")] = False,
    json: Json = False,
) -> None:
    """Check a log's funnel and features before anything is trained; exit code 2 on errors.

    Example: `postclick check --schema schema.yaml log.csv`

    Example: `postclick check --propose log.csv > schema.yaml`
    """
    from postclick.console import BAD_INPUT, fail
    from postclick.data.checks import check_log
    from postclick.data.propose import propose_schema
    from postclick.data.schema import LogSchema
    from postclick.data.source import open_log

    with one_line_errors():
        log = open_log(*logs)
        if propose:
            return print(propose_schema(log), end="")
        if schema is None:
            fail("check needs --schema, or --propose to draft one")
        held_out = open_log(*test) if test else None
        report = check_log(LogSchema.load(schema), log, test=held_out)
    if json:
        print_json(report.to_dict())
    else:
        for line in report.lines():
            print(line)
    if report.errors:
        raise typer.Exit(BAD_INPUT)
    return None


@app.command()
def prepare(
    out: Out,
    schema: Annotated[Path | None, typer.Option(help="The log's schema (YAML).")] = None,
    train: Annotated[list[Path] | None, typer.Option(help="Training log.")] = None,
    valid: Annotated[list[Path] | None, typer.Option(help="Validation log.")] = None,
    test: Annotated[list[Path] | None, typer.Option(help="Test log.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A public data set by name.")] = None,
    source: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    sets: Sets = [],  # noqa: B006 - typer copies it
    seed: Seed = 0,
    valid_fraction: Annotated[float, typer.Option(help="Drawn from train without --valid.")] = 0.1,
    test_fraction: Annotated[float, typer.Option(help="Drawn from train without --test.")] = 0.25,
    on_bad_rows: Annotated[
        BadRows, typer.Option(help="Rows that break the funnel: error, drop or keep.")
    ] = "error",
    json: Json = False,
) -> None:
    """Turn raw logs into a prepared log: checked, encoded, shuffled, in Parquet shards.

    Example: `postclick prepare --schema schema.yaml --train train.csv --test test.csv --out data`

    Example: `postclick prepare --dataset hillstrom --source hillstrom.csv --out data`
    """
    from postclick.data.prepare import prepare as run
    from postclick.datasets.opening import open_request
    from postclick.progress import stages

    with one_line_errors(), reporting(json) as reporter:
        splits = open_request(
            dataset=dataset,
            source=source,
            options=sets,
            schema=schema,
            train=train or [],
            test=test or [],
            valid=valid or [],
        )
        log = run(
            splits,
            out,
            seed=seed,
            valid_fraction=valid_fraction,
            test_fraction=test_fraction,
            on_bad_rows=on_bad_rows,
            progress=stages(reporter),
        )
    if json:
        return print_json(log.manifest.model_dump(mode="json"))
    for finding in log.manifest.findings:
        print(f"{finding['severity']}: {finding['message']}")
    for note in log.manifest.notes:
        print(f"note: {note}")
    for name, split in log.manifest.splits.items():
        print(
            f"{name:<6} {split.rows:>12,} impressions {split.clicks:>10,} clicks "
            f"{split.conversions:>8,} conversions"
        )
    return None


@app.command()
def train(
    data: Data,
    out: Out,
    method: Annotated[str | None, typer.Option(help="A name from 'postclick methods'.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings (YAML), as a run writes.")] = None,
    sets: Sets = [],  # noqa: B006
    seed: Annotated[int | None, typer.Option(help="Same seed, same weights.")] = None,
    json: Json = False,
) -> None:
    """Train one method; an interrupted run is resumed by the same command.

    Example: `postclick train data --method choruscvr --set epochs=5 --seed 0 --out run`
    """
    from postclick.training.run import train as run
    from postclick.training.settings import RunSettings, load_config

    with one_line_errors(), reporting(json) as reporter:
        loaded = load_config(config) if config else None
        settings = RunSettings.make(method, config=loaded, overrides=sets, seed=seed)
        trained = run(data, settings, out, reporter=reporter)
    if json:
        return print_json({"run": str(out), "history": trained.history})
    print(f"{out}: {len(trained.history)} epochs; judge it with 'postclick evaluate {out} {data}'")
    return None


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Data,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    json: Json = False,
) -> None:
    """Judge a run on a split and write RUN/metrics.json.

    Example: `postclick evaluate run data --split test`
    """
    from postclick.data.prepared import PreparedLog
    from postclick.training.run import Run

    with one_line_errors():
        trained = Run(run)
        judgement = trained.evaluate(PreparedLog(data), split)
    if json:
        return print_json(trained.metrics[split])
    for metric in judgement.metrics:
        value = (
            f"{metric.value:.6f}" if metric.value is not None else f"undefined: {metric.undefined}"
        )
        print(f"{metric.metric:<20} {metric.space:<10} {value}")
    if judgement.propensity is not None:
        held = judgement.propensity
        print(f"{'mean c/pi':<20} {'entire':<10} {held.click_over_pi:.6f}")
        print(f"{'mean (1-c)/(1-pi)':<20} {'entire':<10} {held.unclick_over_rest:.6f}")
    return None


@app.command()
def compare(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder; finished runs in it are kept.")],
    methods: Annotated[str, typer.Option(help="Names or variants, comma separated, or all.")] = (
        "all"
    ),
    seeds: Annotated[int, typer.Option(help="Runs per method.")] = 5,
    sets: Sets = [],  # noqa: B006
    backbone: Annotated[
        str, typer.Option(help="share_bottom or mmoe for all, or auto: each paper's own.")
    ] = "share_bottom",
    split: Annotated[str, typer.Option(help="The split to judge on.")] = "test",
    trials: Annotated[
        int, typer.Option(help="Settings tried per method for the tuned table; 0: no such table.")
    ] = 6,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core.")] = None,
    json: Json = False,
) -> None:
    """Train methods x seeds on one log and judge them by one protocol.

    Example: `postclick compare data --methods esmm,evi,choruscvr --seeds 5 --out results`
    """
    from postclick.experiments.compare import compare as run
    from postclick.experiments.table import footnotes, tables

    with one_line_errors(), reporting(json) as reporter:
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
        )
    summaries = [s for s in (result.summary, result.tuned) if s is not None]
    if json:
        return print_json([summary.as_dict() for summary in summaries])
    for summary in summaries:
        print_tables(tables(summary), footnotes(summary))
    print(f"results: {out}/results.parquet, {out}/summary.json")
    return None


@app.command()
def audit(
    methods: Annotated[
        str, typer.Option(help="Names or variants, comma separated, or all with variants.")
    ] = "all",
    populations: Annotated[
        str, typer.Option(help="none, positive, negative, hidden; comma separated.")
    ] = "none,positive,negative,hidden",
    workers: Annotated[int | None, typer.Option(help="Processes; one per core.")] = None,
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Show what each method converges to when data are infinite and everything is known.

    Example: `postclick audit --methods esmm,evi,choruscvr --populations positive`
    """
    from postclick.audit import audit as run
    from postclick.audit.table import footnotes, markdown_table, terminal_table
    from postclick.experiments.workers import cores

    names = None if methods == "all" else _names(methods)
    with one_line_errors(), reporting(json or markdown) as reporter:
        entries = run(names, _names(populations), workers=workers or cores(), reporter=reporter)
    if json:
        return print_json([entry.as_dict() for entry in entries])
    if markdown:
        return print(markdown_table(entries), end="")
    return print_tables([terminal_table(entries)], footnotes())


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def main() -> Any:
    """Entry point of the `postclick` command."""
    return app()
