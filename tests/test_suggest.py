"""What a wrong name was meant to be, in every message that refuses one."""

from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import postclick
from helpers.commands import run
from postclick.data.check.check_log import check_log
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.errors import InputError
from postclick.spelling import command_line, option
from postclick.suggest import meant, nearest

LOG = pl.DataFrame(
    {"user_id": ["a", "b"] * 9, "price": [1.0, 2.0] * 9, "click": [0, 1] * 9, "buy": [0, 1] * 9}
)
SCHEMA = {"click": "click", "conversion": "buy", "categorical": ["user_id"], "numeric": ["price"]}


@pytest.mark.parametrize(
    ("name", "among", "found"),
    [
        ("esm", ["naive", "esmm", "ukd"], "esmm"),
        ("user_Id", ["shop", "user_id"], "user_id"),
        ("valid-fraction", ["valid_fraction", "valid"], "valid_fraction"),
        ("learning_rate", ["lr", "epochs"], "lr"),
        ("weight decay", ["weight_decay"], "weight_decay"),
        ("nothing", ["lr", "epochs"], None),
        ("anything", [], None),
        (3, ["3"], "3"),
    ],
)
def test_the_nearest_name(name: object, among: list[str], found: str | None) -> None:
    assert nearest(name, among) == found
    words = "" if found is None or found == name else f" (did you mean {found!r}?)"
    assert meant(name, among) == words or found == str(name)


@given(st.text(max_size=8), st.lists(st.text(max_size=8), max_size=6))
def test_what_is_suggested_is_there(name: str, among: list[str]) -> None:
    found = nearest(name, among)
    assert found is None or found in among
    assert name not in among or found is not None


def schema(**changes: object) -> dict[str, object]:
    return {**SCHEMA, **changes}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (schema(catgorical=["shop"]), "catgorical: is not a known setting (did you mean 'categ"),
        (schema(numeric=[{"name": "price", "trasform": "log1p"}]), "(did you mean 'transform'?)"),
        (schema(numeric=[{"name": "price", "transform": "standardise"}]), "mean 'standardize'?)"),
        (schema(truth={"ctrr": "p"}), "truth.ctrr: is not a known setting (did you mean 'ctr'?)"),
        (schema(read={"seperator": ";"}), "(did you mean 'separator'?)"),
        (schema(xyzzy=1), "xyzzy: is not a known setting: remove or correct it"),
        (
            schema(multi=[{"name": "h", "pooling": "attention", "target": "user_Id"}]),
            "no categorical feature (did you mean 'user_id'?)",
        ),
    ],
)
def test_keys_and_values_of_a_schema(data: dict[str, object], text: str) -> None:
    with pytest.raises(InputError) as error:
        LogSchema.parse(data)
    assert text in str(error.value)


def test_a_column_that_the_log_lacks() -> None:
    parsed = LogSchema.parse(schema(categorical=["user_Id"]))
    report = check_log(parsed, FrameSource(LOG))
    assert "no column 'user_Id' (did you mean 'user_id'?) in" in report.errors[0].message
    with pytest.raises(InputError, match=r"no column 'prise' \(did you mean 'price'\?\)"):
        FrameSource(LOG).require(["prise"])


SETTINGS = [
    ("learning_rate=0.1", "did you mean 'lr'?"),
    ("training.epoch=1", "(did you mean 'epochs'?)"),
    ("traning.lr=1", "no section 'traning' (did you mean 'training'?)"),
    ("network.dropot=0.1", "(did you mean 'dropout'?)"),
    ("network.expert=4", "(did you mean 'experts'?)"),
    ("options.ctcvr_wieght=1", "(did you mean 'ctcvr_weight'?)"),
    ("optimizer=lazy_adm", "found 'lazy_adm' (did you mean 'lazy_adam'?)"),
    ("backbone=mmoee", "there is no backbone 'mmoee' (did you mean 'mmoe'?)"),
    ("monitor=cvr_nl", "(did you mean 'cvr_nll'?)"),
]


@pytest.mark.parametrize(("setting", "text"), SETTINGS)
def test_settings(setting: str, text: str) -> None:
    with pytest.raises(InputError) as error:
        postclick.RunSettings.make("esmm", overrides=[setting])
    assert text in str(error.value)


COMMANDS = [
    (["trian"], "No such command 'trian'. Did you mean 'train'?"),
    (["train", "d", "--methd", "esmm"], "No such option: --methd (Possible options: --method"),
    (["simulate", "x", "--world", "confoundd"], "'confoundd' (did you mean 'confounded'?)"),
    (["train", "d", "--method", "esm", "--out", "r"], "method 'esm' (did you mean 'esmm'?)"),
    (["audit", "--methods", "evi/no_vei"], "no variant 'no_vei' (did you mean 'no_vie'?)"),
    (["audit", "--populations", "postive"], "'postive' (did you mean 'positive'?)"),
    (["calibrate", "r", "d", "--kind", "plat"], "(did you mean 'platt'?)"),
    (
        ["prepare", "--dataset", "hilstrom", "--source", "x", "--out", "o"],
        "'hilstrom' (did you mean 'hillstrom'?)",
    ),
    (
        ["prepare", "--on-bad-rows", "dropp", "--out", "o"],
        "'dropp' is not one of 'error', 'drop', 'keep'. (did you mean 'drop'?)",
    ),
    (["reproduce", "evi-tabel1", "--data", "d", "--out", "p"], "(did you mean 'evi-table1'?)"),
]


@pytest.mark.parametrize(("words", "text"), COMMANDS, ids=lambda value: " ".join(value)[:40])
def test_commands(words: list[str], text: str, small_log: postclick.PreparedLog) -> None:
    done = run(*(small_log.folder if word == "d" else word for word in words))
    assert done.code == 2
    assert text in done.err
    assert done.err.count("\n") == 1


def test_the_version() -> None:
    done = run("--version")
    assert (done.code, done.out) == (0, f"postclick {postclick.__version__}\n")


def test_a_mend_is_spelled_as_the_caller_came(tmp_path: Path) -> None:
    # Two conversions without a click; clicks of both kinds stay if those rows are left out.
    frame = LOG.with_columns(pl.Series("buy", [1, 0] + [0, 1] * 7 + [1, 0]))
    frame.write_parquet(tmp_path / "log.parquet")
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(SCHEMA))
    report = check_log(LogSchema.parse(SCHEMA), open_log(tmp_path / "log.parquet"))
    (found,) = [f for f in report.findings if f.code == "conversion-without-click"]
    assert 'prepare with on_bad_rows="drop" (leaves' in found.message
    done = run(
        *("prepare", "--schema", tmp_path / "schema.yaml", "--train", tmp_path / "log.parquet"),
        *("--out", tmp_path / "o"),
    )
    assert "prepare with --on-bad-rows drop (leaves the rows out) or --on-bad-rows keep" in done.err
    for name, value in (("valid-fraction", "2"), ("negative-rate", "7")):
        done = run(
            *("prepare", "--schema", tmp_path / "schema.yaml", "--train", tmp_path / "log.parquet"),
            *("--out", tmp_path / "o", f"--{name}", value),
        )
        assert done.err.startswith(f"postclick: --{name} is {value}.0: give")
    # What a command began has ended with it.
    assert option("out") == "out"


def test_one_spelling_within_another() -> None:
    with command_line():
        with command_line():
            assert option("workers", 1) == "--workers 1"
        assert option("workers", 1) == "--workers 1"
    assert option("workers", 1) == "workers=1"
