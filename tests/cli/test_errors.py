"""Bad input: exit code 2 and exactly one line on standard error that says what, where, the mend."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml

from helpers.commands import SETS, run, succeed, write_own_log
from helpers.place import Place
from postclick.data.prepared import PreparedLog
from postclick.datasets.simulated import SimulatedLog

TABLE: list[tuple[str, str]] = []


@pytest.fixture(scope="module")
def original(small_raw: SimulatedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("errors")
    write_own_log(folder, small_raw)
    place = Place(folder)
    prepare = [*place.prepare()[:-1], folder / "data"]
    succeed(*prepare)
    succeed(*place.train()[:5], folder / "run", *SETS)
    return folder


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Place:
    shutil.copytree(original, tmp_path / "in")
    return Place(tmp_path / "in")


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    """Shows all messages when run with -s."""
    yield
    for case, message in sorted(TABLE):
        print(f"\n{case}\n    {message}", end="")
    print()


def cut_shard(place: Place) -> list[object]:
    shard = place / "data" / PreparedLog(place / "data").split("train").shards[0].file
    shard.write_bytes(shard.read_bytes()[:200])
    return place.train()


def removed_manifest(place: Place) -> list[object]:
    (place / "data" / "manifest.json").unlink()
    return place.train()


def other_log(place: Place) -> list[object]:
    logs = ["--train", place / "train.csv", "--seed", "9", "--out", place / "other"]
    succeed("prepare", "--schema", place / "schema.yaml", *logs)
    return ["evaluate", place / "run", place / "other"]


def leak(place: Place) -> list[object]:
    """What was spent, under an innocent name."""
    spent = pl.col("conversion") * (pl.col("price") + 10)
    numeric = [*yaml.safe_load((place / "schema.yaml").read_text())["numeric"], "basket"]
    return place.prepare(place.schema(numeric=numeric), place.log(spent.alias("basket")))


def schema_typo(place: Place) -> Path:
    text = (place / "schema.yaml").read_text()
    return place.text("typo.yaml", text.replace("categorical:", "categorical: ["))


def ragged(place: Place) -> Path:
    lines = (place / "train.csv").read_text().splitlines()
    lines[7] = lines[7] + ",surplus"
    return place.text("ragged.csv", "\n".join(lines) + "\n")


def wrong_hillstrom(place: Place) -> list[object]:
    source = place.text("hillstrom.csv", "recency,history\n1,2\n")
    return ["prepare", "--dataset", "hillstrom", "--source", source, "--out", place / "new"]


Case = tuple[Callable[[Place], list[object]], tuple[str, ...]]
CONVERTED = pl.lit(1).alias("conversion")
CASES: dict[str, Case] = {
    "schema missing": (
        lambda p: p.prepare(schema=p / "no.yaml"),
        ("no.yaml does not exist", "postclick check --propose"),
    ),
    "log missing": (lambda p: p.prepare(train=p / "no.csv"), ("no.csv does not exist",)),
    "neither schema nor data set": (
        lambda p: ["prepare", "--out", p / "new"],
        ("give --schema and --train, or --dataset and --source",),
    ),
    "schema is not YAML": (
        lambda p: p.prepare(schema_typo(p)),
        ("typo.yaml cannot be read as YAML", "line"),
    ),
    "schema has a misspelt key": (
        lambda p: p.prepare(p.schema(catgorical=["shop"])),
        ("changed.yaml", "catgorical", "not a known setting"),
    ),
    "schema names an unknown column": (
        lambda p: p.prepare(p.schema(categorical=["user", "colour"])),
        ("train", "no column 'colour'"),
    ),
    "schema has the label among the features": (
        lambda p: p.prepare(p.schema(numeric=["price", "conversion"])),
        ("'conversion' is an outcome and a feature",),
    ),
    "a column that gives the conversion away": (
        leak,
        ("column 'basket' predicts conversion", "looks like an outcome", "put it under ignore"),
    ),
    "conversions without a click": (
        lambda p: p.prepare(train=p.log(CONVERTED)),
        ("without a click", "of 6,000 rows", "prepare with --on-bad-rows keep"),
    ),
    "a label of 2": (
        lambda p: p.prepare(train=p.log(pl.lit(2).alias("click"))),
        ("label 'click' is not 0 or 1 in 6,000 of 6,000 rows", "found '2'"),
    ),
    "a number that is text": (
        lambda p: p.prepare(train=p.log(pl.lit("cheap").alias("price"))),
        ("'price'", "cheap"),
    ),
    "CSV with a ragged line": (
        lambda p: p.prepare(train=ragged(p)),
        ("ragged.csv cannot be read", "line 8 has 15 columns, its header 14"),
    ),
    "empty CSV": (
        lambda p: p.prepare(train=p.text("empty.csv", "")),
        ("empty.csv is empty: expected a header line",),
    ),
    "CSV without rows": (
        lambda p: p.prepare(train=p.text("head.csv", (p / "train.csv").open().readline())),
        ("train: no rows",),
    ),
    "a Parquet file that is none": (
        lambda p: p.prepare(train=p.text("log.parquet", "hello")),
        ("log.parquet is not a readable Parquet file",),
    ),
    "prepare: out is in the way": (
        lambda p: [*p.prepare()[:-1], p / "run"],
        ("run holds a prepared log of another request: choose another folder",),
    ),
    "prepare: fractions that leave nothing": (
        lambda p: [*p.prepare(), "--valid-fraction", "0.7", "--test-fraction", "0.5"],
        ("leave no row to train on",),
    ),
    "prepare: by a time that the schema does not name": (
        lambda p: [*p.prepare(), "--split-by", "time"],
        ("--split-by time: the schema names no time: add 'time: COLUMN' to it",),
    ),
    "prepare: a purge of random splits": (
        lambda p: [*p.prepare(), "--purge", "7d"],
        ("purge is for splits by time: add --split-by time, or leave it out",),
    ),
    "unknown data set": (
        lambda p: ["prepare", "--dataset", "movies", "--source", p / "run", "--out", p / "new"],
        ("there is no data set 'movies'", "hillstrom"),
    ),
    "data set without a source": (
        lambda p: ["prepare", "--dataset", "coat", "--out", p / "new"],
        ("--dataset coat needs --source",),
    ),
    "data set from a file that is not it": (
        wrong_hillstrom,
        ("hillstrom.csv", "expected sha256 0e5893329d8b93ce", "get it again"),
    ),
    "data set option that is not YAML": (
        lambda p: [*wrong_hillstrom(p), "--set", "arm=["],
        ("--set 'arm=['", "not YAML"),
    ),
    "check without a schema": (
        lambda p: ["check", p / "train.csv"],
        ("check needs --schema, or --propose",),
    ),
    "simulate: unknown world": (
        lambda p: ["simulate", p / "new", "--world", "upside"],
        ("upside", "confounded"),
    ),
    "simulate: too few rows": (
        lambda p: ["simulate", p / "new", "--rows", "10"],
        ("rows", "greater than or equal to 1000, found 10"),
    ),
    "a number that cannot be parsed": (
        lambda p: ["simulate", p / "new", "--rows", "many"],
        ("'--rows'", "postclick simulate --help"),
    ),
    "an option that does not exist": (
        lambda p: p.train("--epochs", "3"),
        ("No such option: --epochs", "postclick train --help"),
    ),
    "a command that does not exist": (lambda p: ["trian"], ("No such command 'trian'",)),
    "an argument that is missing": (lambda p: ["evaluate"], ("Missing argument",)),
    "train: unknown method": (
        lambda p: p.train(method="chorus"),
        ("no method 'chorus'", "choruscvr"),
    ),
    "train: unknown variant": (
        lambda p: p.train(method="evi/fast"),
        ("method evi has no variant 'fast'", "evi/no_vie"),
    ),
    "train: no method": (
        lambda p: ["train", p / "data", "--out", p / "new"],
        ("no method named: give --method",),
    ),
    "train: unknown setting": (
        lambda p: p.train("--set", "epoch=3"),
        ("'epoch' is not a known setting: did you mean 'epochs'?",),
    ),
    "train: a setting out of range": (
        lambda p: p.train("--set", "lr=-1"),
        ("training.lr", "greater than 0, found -1"),
    ),
    "train: a setting that is no number": (
        lambda p: p.train("--set", "lr=fast"),
        ("training.lr", "valid number", "'fast'"),
    ),
    "train: config with a misspelt key": (
        lambda p: p.train("--config", p.text("c.yaml", "trainig: {}\n")),
        ("c.yaml: unknown key 'trainig'", "training"),
    ),
    "train: a section that is no mapping": (
        lambda p: p.train("--config", p.text("c.yaml", "options: 3\n")),
        ("options must be a mapping, found 3",),
    ),
    "train: out exists": (
        lambda p: [*p.train()[:5], p / "run"],
        ("run exists: name another --out, or remove it",),
    ),
    "train: data is not prepared": (
        lambda p: ["train", p / "run.csv", "--method", "naive", "--out", p / "new"],
        ("run.csv is not a prepared log", "postclick prepare"),
    ),
    "train: manifest is gone": (removed_manifest, ("is not a prepared log (no manifest.json)",)),
    "train: a shard is damaged": (cut_shard, ("shard", "missing or damaged", "postclick prepare")),
    "train: divergence": (
        lambda p: p.train("--set", "lr=1e9"),
        ("loss term", "epoch 1 step", "lower training.lr"),
    ),
    "evaluate: not a run": (
        lambda p: ["evaluate", p / "data", p / "data"],
        ("data is not a finished run",),
    ),
    "evaluate: no such split": (
        lambda p: ["evaluate", p / "run", p / "data", "--split", "dev"],
        ("no split 'dev'", "train, valid, test"),
    ),
    "evaluate: another log": (
        other_log,
        ("is not the log that", "fingerprints differ", "or give the raw one as --log RAW"),
    ),
    "compare: a method twice": (
        lambda p: ["compare", p / "data", "--methods", "evi,evi", "--out", p / "new"],
        ("method evi is named twice",),
    ),
    "compare: no seeds": (
        lambda p: ["compare", p / "data", "--seeds", "0", "--out", p / "new"],
        ("at least one method and one seed",),
    ),
    "compare: unknown backbone": (
        lambda p: ["compare", p / "data", "--backbone", "resnet", "--out", p / "new"],
        ("network.backbone", "'resnet'"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_exit_code_2_and_one_line(case: str, place: Place) -> None:
    make, words = CASES[case]
    done = run(*make(place))  # type: ignore[arg-type]
    assert done.code == 2, done.err
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    (message,) = lines
    assert message.startswith("postclick: ")
    TABLE.append((case, message.replace(str(place.folder) + "/", "")))
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"
    left = [p.name for p in place.folder.iterdir() if p.name.startswith("new")]
    assert left == [], "a refused command may leave nothing behind"


def test_nothing_is_printed_that_a_machine_would_read(place: Place) -> None:
    done = run("evaluate", place / "nowhere", place / "data", "--json")
    assert (done.code, done.out) == (2, "")
