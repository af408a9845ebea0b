"""From raw logs to prepared ones: simulate, check, prepare."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from postclick.cli.shared import Json, Logs, Out, Reads, Seed, Sets, app
from postclick.console import one_line_errors, print_json, reporting

BadRows = Literal["error", "drop", "keep"]
SplitBy = Literal["random", "time", "group"]


def _list_worlds(asked: bool) -> None:
    if asked:
        from postclick.datasets.simulated.describe import world_lines

        print(*world_lines(), sep="\n")
        raise typer.Exit


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    world: Annotated[
        str,
        typer.Option(
            help="independent, confounded, adverse, hidden, position, sparse, shift, aliccp_like, "
            "aliexpress_like, interactions, deep, drifting or selection_iv."
        ),
    ] = "confounded",
    worlds: Annotated[
        bool,
        typer.Option("--worlds", is_eager=True, callback=_list_worlds, help="List the worlds."),
    ] = False,
    rows: Annotated[
        int | None, typer.Option(help="Impressions, train and test together [the world's own].")
    ] = None,
    seed: Seed = 0,
    ctr: Annotated[float | None, typer.Option(help="Mean click rate [the world's own].")] = None,
    cvr: Annotated[
        float | None, typer.Option(help="Mean conversion rate of clicks [the world's own].")
    ] = None,
    dependence: Annotated[
        float | None,
        typer.Option(help="Correlation of clicking and converting, -1 to 1 [the world's own]."),
    ] = None,
    conversions: Annotated[
        int | None,
        typer.Option(help="In place of --rows: expected conversions of the training split."),
    ] = None,
    sets: Sets = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Write a simulated log whose true CVR is known for every impression.

    \b
    Example: postclick simulate world --world confounded --rows 400000 --seed 0

    \b
    Example: postclick simulate strong --world hidden --set position_sd=1.5 --set exposure=true
    """
    from postclick.datasets.opening import parse_options
    from postclick.datasets.simulated import write_simulated
    from postclick.datasets.simulated.describe import oracle_lines, variance_lines

    with one_line_errors():
        log = write_simulated(
            out,
            world,
            rows,
            seed,
            ctr=ctr,
            cvr=cvr,
            dependence=dependence,
            conversions=conversions,
            options=parse_options(sets),
        )
    if json:
        told = {"out": str(out), "oracle": log.oracle}
        return print_json(told if log.variance is None else {**told, "variance": log.variance})
    print(f"{out}: train.parquet ({log.train.height:,} rows), test.parquet ({log.test.height:,})")
    print(*oracle_lines(log.oracle), sep="\n")
    if log.variance is not None:
        print(*variance_lines(log.variance), sep="\n")
    return None


@app.command()
def check(
    logs: Logs,
    schema: Annotated[Path | None, typer.Option(help="The log's schema (YAML).")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Test log, for overlap checks.")] = None,
    propose: Annotated[bool, typer.Option("--propose", help="Print a draft schema.")] = False,
    reads: Reads = [],  # noqa: B006 - typer copies it
    click: Annotated[
        str | None, typer.Option(help="Of a draft: the column of clicks [told by name].")
    ] = None,
    conversion: Annotated[
        str | None,
        typer.Option(help="Of a draft: that of conversions: 0/1, a count, an amount or a time."),
    ] = None,
    json: Json = False,
) -> None:
    """Check a log's funnel and features before anything is trained; exit code 2 on errors.

    \b
    Example: postclick check --schema schema.yaml log.csv

    \b
    Example: postclick check --propose log.csv > schema.yaml

    \b
    Example: postclick check --propose log.csv --click click --conversion "conversion > 0"
    """
    from postclick.console import BAD_INPUT, fail
    from postclick.data.check.check_log import check_log
    from postclick.data.check.propose import propose_schema
    from postclick.data.read.heeded import require_heeded
    from postclick.data.read.opening import open_log
    from postclick.data.schema import LogSchema
    from postclick.data.schema.read_options import read_settings, with_read

    with one_line_errors():
        if propose:
            read = read_settings(reads)
            log = open_log(*logs, read=read)
            require_heeded(reads, log)
            return print(propose_schema(log, click, conversion, read=read), end="")
        if click is not None or conversion is not None:
            fail("--click and --conversion go with --propose: a schema names its own columns")
        if schema is None:
            fail("check needs --schema, or --propose to draft one")
        parsed = with_read(LogSchema.load(schema), reads)
        log = open_log(*logs, read=parsed.reading)
        held_out = open_log(*test, read=parsed.reading) if test else None
        require_heeded(reads, log, held_out)
        report = check_log(parsed, log, test=held_out)
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
    train: Annotated[list[str] | None, typer.Option(help="Training log.")] = None,
    valid: Annotated[list[str] | None, typer.Option(help="Validation log.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Test log.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A public data set by name.")] = None,
    source: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    sets: Sets = [],  # noqa: B006 - typer copies it
    reads: Reads = [],  # noqa: B006
    seed: Seed = 0,
    valid_fraction: Annotated[float, typer.Option(help="Drawn from train without --valid.")] = 0.1,
    test_fraction: Annotated[float, typer.Option(help="Drawn from train without --test.")] = 0.25,
    split_by: Annotated[
        SplitBy, typer.Option(help="How to draw: random, by time, or by group.")
    ] = "random",
    valid_from: Annotated[
        str | None, typer.Option(help="By time: when validation begins, instead of a share.")
    ] = None,
    test_from: Annotated[
        str | None, typer.Option(help="By time: when the test begins, instead of a share.")
    ] = None,
    purge: Annotated[
        str | None, typer.Option(help="By time: leave out so long before each split, such as 7d.")
    ] = None,
    on_bad_rows: Annotated[
        BadRows, typer.Option(help="Rows that break the funnel: error, drop or keep.")
    ] = "error",
    negative_rate: Annotated[
        float, typer.Option(help="Share of the unclicked training rows to keep.")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Turn raw logs into a prepared log: checked, encoded, shuffled, in Parquet shards.

    \b
    Example: postclick prepare --schema schema.yaml --train train.csv --test test.csv --out data

    \b
    Example: postclick prepare --dataset hillstrom --source hillstrom.csv --out data
    """
    from postclick.data.write.prepare import prepare as run
    from postclick.datasets.opening import open_request
    from postclick.progress import stages

    with one_line_errors(), reporting(json) as reporter:
        splits = open_request(
            dataset=dataset,
            source=source,
            options=sets,
            read=reads,
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
            split_by=split_by,
            valid_from=valid_from,
            test_from=test_from,
            purge=purge,
            on_bad_rows=on_bad_rows,
            negative_rate=negative_rate,
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
