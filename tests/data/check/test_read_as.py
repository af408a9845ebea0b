"""How a log is read is said by check, prepare and the draft, and settable from the command line."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from helpers.commands import run, succeed
from postclick.data.check.check_log import check_log
from postclick.data.prepared import PreparedLog
from postclick.data.read.files.text.decimals import as_told
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.errors import InputError

SCHEMA = {"click": "click", "conversion": "buy", "categorical": ["shop"], "numeric": ["price"]}


def rows(count: int = 3000) -> pl.DataFrame:
    draw = np.random.default_rng(0)
    click = draw.random(count) < 0.4
    return pl.DataFrame(
        {
            "click": click.astype(int),
            "buy": (click & (draw.random(count) < 0.4)).astype(int),
            "shop": draw.choice(["ä", "b", "c d"], count),
            "price": draw.lognormal(2, 1, count).round(2),
        }
    )


def with_comma(log: pl.DataFrame) -> pl.DataFrame:
    return log.with_columns(pl.col("price").cast(pl.String).str.replace(".", ",", literal=True))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(SCHEMA))
    return tmp_path


def shards(folder: Path) -> dict[str, str]:
    splits = PreparedLog(folder).manifest.splits
    return {shard.file: shard.sha256 for split in splits.values() for shard in split.shards}


def test_every_layout_is_prepared_to_the_same_bytes(place: Path) -> None:
    log, schema = rows(), ["--schema", place / "schema.yaml"]
    log.write_csv(place / "plain.csv")
    log.write_csv(place / "pipes.TXT", separator="|")
    (place / "wide.csv").write_bytes(log.write_csv(separator="\t").encode("utf-16"))
    (place / "latin.csv").write_bytes(log.write_csv().encode("latin-1"))
    log.write_csv(place / "bare.csv", include_header=False)
    with_comma(log).write_csv(place / "comma.csv", separator=";")
    with_comma(log).write_csv(place / "quoted.csv")
    log.write_ndjson(place / "log.jsonl")
    log.write_avro(place / "log.avro")
    log.write_ipc(place / "log.arrow")
    expected = {}
    for name, options in {
        "plain.csv": [],
        "pipes.TXT": [],
        "wide.csv": [],
        "latin.csv": ["--read", "encoding=latin-1"],
        "bare.csv": ["--read", "header=click,buy,shop,price"],
        "comma.csv": [],
        "quoted.csv": ["--read", "decimal=,"],
        "log.jsonl": [],
        "log.avro": [],
        "log.arrow": [],
    }.items():
        out = place / f"{name}-data"
        succeed("prepare", *schema, "--train", place / name, "--out", out, *options)
        expected = expected or shards(out)
        assert shards(out) == expected, name
        said = [f for f in PreparedLog(out).manifest.findings if f["code"] == "read-as"]
        assert len(said) == (name in ("pipes.TXT", "wide.csv", "comma.csv")), name
        if said:
            assert said[0]["severity"] == "info" and "is read with separator" in said[0]["message"]


def test_check_says_how_it_read(place: Path) -> None:
    rows().write_csv(place / "log.csv", separator=";")
    call = ["check", "--schema", place / "schema.yaml", place / "log.csv"]
    line = f"info: train: {place}/log.csv is read with separator ';'"
    assert line in succeed(*call).splitlines()
    assert line not in succeed(*call, "--read", "separator=;")
    found = json.loads(succeed(*call, "--json"))["findings"]
    assert [f["code"] for f in found] == ["read-as"]
    wrong = run(*call, "--read", "separator=tab")
    assert wrong.code == 2 and "column 'click'" in wrong.out
    odd = run(*call, "--read", "colour=red")
    assert odd.code == 2 and len(odd.err.splitlines()) == 1 and "KEY is separator" in odd.err


def test_the_draft_holds_what_it_was_told(place: Path) -> None:
    with_comma(rows()).write_csv(place / "log.csv", separator=";", include_header=False)
    names = "header=click,buy,shop,price"
    draft = succeed("check", "--propose", place / "log.csv", "--read", names)
    assert f"{place}/log.csv is read with separator ';' and decimal ','" in draft
    read = yaml.safe_load(draft)
    assert read["numeric"] == ["price"] and read["categorical"] == ["shop"]
    assert read["read"] == {"header": ["click", "buy", "shop", "price"], "decimal": ","}
    (place / "schema.yaml").write_text(draft)
    assert open_log(place / "log.csv", read=LogSchema.load(place / "schema.yaml").read).columns


def test_a_dataset_knows_its_files(place: Path) -> None:
    done = run(
        *("prepare", "--dataset", "hillstrom", "--source", place, "--out", place / "data"),
        *("--read", "separator=;"),
    )
    assert done.code == 2 and "--read is for a log of one's own" in done.err


def test_decimals_of_several_files(place: Path) -> None:
    schema = LogSchema.parse(SCHEMA)
    log = rows(200)
    with_comma(log).write_csv(place / "comma.csv", separator=";")
    log.write_csv(place / "point.csv")
    log.select("click", "buy", "shop", price=pl.lit(1)).write_csv(place / "whole.csv")
    one, other, third = (open_log(place / f"{n}.csv") for n in ("comma", "point", "whole"))
    assert as_told(schema, [one, third]).read.decimal == ","
    assert as_told(schema, [other, third, FrameSource(log)]) is schema
    told = LogSchema.parse({**SCHEMA, "read": {"decimal": "."}})
    assert as_told(told, [one]) is told
    says = r"comma.csv is written with decimal ',' and .*point.csv with '.'"
    with pytest.raises(InputError, match=says):
        check_log(schema, one, other)
    many = place / "many"
    many.mkdir()
    for name in ("comma.csv", "point.csv"):
        (many / name).write_bytes((place / name).read_bytes())
    with pytest.raises(InputError, match=says):
        check_log(schema, open_log(many))


@pytest.mark.parametrize("given", ["separator=;", "header=a,b", "encoding=latin-1"])
def test_settings_by_which_nothing_is_read_are_refused(place: Path, given: str) -> None:
    log, schema = place / "log.parquet", ["--schema", place / "schema.yaml"]
    rows().write_parquet(log)
    rows().write_ndjson(place / "log.jsonl")
    key = given.partition("=")[0]
    calls: list[list[str | Path]] = [
        ["check", *schema, log],
        ["check", "--propose", log],
        ["prepare", *schema, "--train", log, "--out", place / "data"],
        ["prepare", *schema, "--train", log, "--test", log, "--out", place / "more"],
    ]
    if key != "encoding":
        calls.append(["check", *schema, place / "log.jsonl"])
    for call in calls:
        done = run(*call, "--read", given)
        assert done.code == 2 and len(done.err.splitlines()) == 1, call
        assert f"--read '{given}': {place}/log." in done.err
        assert f" is no text with a{'n' if key == 'encoding' else ''} {key} of its own" in done.err
        assert run(*call).code == 0
    # What text in other columns is read by, and what only one of two logs is read by, stays.
    assert run(*calls[0], "--read", "decimal=,", "--read", "missing=NA").code == 0
    rows().write_csv(place / "log.csv", separator=";")
    both = ["check", *schema, log, "--test", place / "log.csv", "--read", "separator=;"]
    assert run(*both).code == 0
