"""Click and conversion of a draft: named or told, as they are or by a rule; candidates if not."""

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from helpers.commands import run
from postclick.data.check.check_log import check_log
from postclick.data.check.propose import propose_schema
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.errors import InputError

ROWS = 2000
RNG = np.random.default_rng(0)
CLICK = RNG.random(ROWS) < 0.4
BUY = CLICK & (RNG.random(ROWS) < 0.4)
SHOP = RNG.integers(0, 50, ROWS)
Values = pl.Series | np.ndarray | list[object]


def sparse(mask: np.ndarray, values: object) -> pl.Series:
    return pl.Series([v if m else None for v, m in zip(values, mask, strict=True)])  # type: ignore[call-overload]


AMOUNT = RNG.integers(1, 900, ROWS)
DAYS = pl.Series([f"2026-01-{d:02d} 10:00:00" for d in RNG.integers(1, 28, ROWS)])
ORDERS = np.cumsum(BUY) - 1  # the first order has the number 0
CASES: dict[str, tuple[str, Values, str | None]] = {
    "0/1": ("paid", BUY.astype(int), None),
    "missing without a click": ("paid", sparse(CLICK, BUY.astype(int)), None),
    "missing with a click": ("paid", sparse(BUY, BUY.astype(int)), "== 1"),
    "missing, true": ("paid", sparse(BUY, BUY), "== true"),
    "missing, floats": ("paid", sparse(BUY, BUY.astype(float)), "== 1"),
    "missing, 1 and true": ("paid", sparse(BUY, np.where(SHOP > 20, "1", "True").tolist()), "> 0"),
    "amount": ("order_value", np.where(BUY, AMOUNT, 0), "> 0"),
    "amount with gaps": ("order_value", sparse(BUY, AMOUNT), "present"),
    "amount, -1 for none": ("order_value", np.where(BUY, AMOUNT, -1), "> 0"),
    "amount as text": ("order_value", np.where(BUY, AMOUNT.astype(str), "-").tolist(), "> 0"),
    "count": ("orders", BUY * (1 + SHOP % 3), "> 0"),
    "time": ("purchased_at", sparse(BUY, DAYS), "present"),
    "time, - for none": ("purchased_at", np.where(BUY, DAYS, "-").tolist(), "!= -"),
    "date": ("purchased_at", sparse(BUY, DAYS.str.to_datetime()), "present"),
    "milliseconds": ("purchased_at", sparse(BUY, 1_700_000_000_000 + AMOUNT), "present"),
    "milliseconds, 0 for none": ("at", np.where(BUY, 1_700_000_000_000 + AMOUNT, 0), "> 0"),
    "ids from 0": ("order_id", sparse(BUY, ORDERS), "present"),
    "hashes": ("order_hash", sparse(BUY, RNG.integers(-(2**62), 2**62, ROWS)), "present"),
    "words": ("state", np.where(BUY, "paid", "open").tolist(), "== paid"),
    "yes or no": ("sold", np.where(BUY, "Y", "N").tolist(), "!= N"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_named_conversion_becomes_the_label_that_it_is(case: str) -> None:
    name, values, positive = CASES[case]
    frame = pl.DataFrame({"c": CLICK.astype(int), name: values, "shop": SHOP})
    text = propose_schema(FrameSource(frame), "c", name)
    schema = LogSchema.parse(yaml.safe_load(text))
    assert (schema.conversion.column, schema.conversion.positive) == (name, positive)
    clicks, bought = int(CLICK.sum()), int(BUY.sum())
    line = next(line for line in text.splitlines() if line.startswith("conversion:"))
    assert f"# {bought:,} of {clicks:,} rows" in line
    report = check_log(schema, FrameSource(frame))
    funnel = report.funnel["train"]
    assert (funnel.clicks, funnel.conversions) == (clicks, bought)
    assert report.errors == ()


def test_a_rule_may_be_given_with_the_name() -> None:
    frame = pl.DataFrame({"c": CLICK * 3, "v": BUY * AMOUNT, "a > b": SHOP, "shop": SHOP})
    text = propose_schema(FrameSource(frame), "c >= 3", "v > 100")
    schema = LogSchema.parse(yaml.safe_load(text))
    assert (schema.click.positive, schema.conversion.positive) == (">= 3", "> 100")
    assert f"# {int((BUY * AMOUNT > 100).sum()):,} of {CLICK.sum():,} rows" in text


def test_an_event_column_is_a_click_where_it_is_no_view() -> None:
    event = np.where(BUY, "transaction", np.where(CLICK, "addtocart", "view"))
    frame = pl.DataFrame({"event": event, "order": sparse(BUY, ORDERS), "shop": SHOP})
    text = propose_schema(FrameSource(frame), "event", "order")
    assert LogSchema.parse(yaml.safe_load(text)).click.positive == "!= view"


@pytest.mark.parametrize(
    ("click", "conversion", "said"),
    [
        ("clik", "buy", "no column 'clik'; it has c, buy, "),
        ("c", "bought", "no column 'bought'"),
        ("c", "c", "--click and --conversion are the same column 'c': name two"),
        ("c", "tags", "conversion 'tags' holds lists: name a column that is 0/1"),
        ("c", "void", "conversion 'void' has no values: name a column"),
        ("c", "shop", "conversion 'shop', read as > 0, is 1 in all 2,000 rows: name a column"),
        ("c", "word", "is neither 0/1 nor a number ('a' in 1,000, 'b' in 1,000): say which"),
        ("c", "word > 1", "conversion 'word': 2,000 values are no numbers (such as '"),
    ],
)
def test_a_name_that_cannot_be_used(click: str, conversion: str, said: str) -> None:
    frame = pl.DataFrame(
        {
            "c": CLICK,
            "buy": BUY,
            "tags": [["a"]] * ROWS,
            "void": pl.Series([None] * ROWS, dtype=pl.String),
            "shop": SHOP + 1,
            "word": ["a", "b"] * (ROWS // 2),
        }
    )
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        propose_schema(FrameSource(frame), click, conversion)
    assert "\n" not in str(caught.value)


def test_the_value_that_the_error_says_can_be_named() -> None:
    frame = pl.DataFrame({"c": CLICK, "state": np.where(BUY, "a", "b"), "shop": SHOP})
    with pytest.raises(InputError, match="state == b'") as caught:
        propose_schema(FrameSource(frame), "c", "state")
    rule = re.search(r"as in '(.*?)'", str(caught.value))
    assert rule is not None
    text = propose_schema(FrameSource(frame), "c", rule[1])
    assert LogSchema.parse(yaml.safe_load(text)).conversion.positive == "== b"


def test_candidates_are_offered_and_the_command_works(tmp_path: Path) -> None:
    path = tmp_path / "a log.csv"
    columns = {"x": CLICK.astype(int), "y": BUY.astype(int), "order value": BUY * AMOUNT}
    columns |= {"paid_at": sparse(BUY, DAYS), "z": SHOP}
    pl.DataFrame(columns).write_csv(path)
    result = run("check", "--propose", path)
    assert result.code == 2
    message = result.err.strip()
    assert "\n" not in message
    assert f"'x' (1 in {CLICK.sum():,} of 2,000 rows)" in message
    for name, how in (("order value", "above 0 in"), ("paid_at", "has a value in")):
        assert f"'{name}' ({how} {BUY.sum():,} of 2,000 rows)" in message
    assert "'z'" not in message
    command = re.search(r"go on with postclick (check .*?), or with", message)
    assert command is not None
    again = run(*shlex.split(command[1]))
    assert again.code == 0, again.err
    schema = LogSchema.parse(yaml.safe_load(again.out))
    assert (schema.click.column, schema.conversion.column) == ("x", "order value")
    assert {"y", "paid_at"} <= set(schema.ignore)


def test_the_command_says_again_how_the_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    columns = {"x": CLICK.astype(int), "y": BUY.astype(int), "z": SHOP}
    pl.DataFrame(columns).write_csv(path, separator="|", include_header=False)
    reads = ["--read", "separator=|", "--read", "header=seen,z 1,z"]
    message = run("check", "--propose", path, *reads).err
    command = re.search(r"go on with postclick (check .*?), or with", message)
    assert command is not None
    again = run(*shlex.split(command[1]))
    assert again.code == 0, again.err
    schema = LogSchema.parse(yaml.safe_load(again.out))
    assert (schema.click.column, schema.conversion.column) == ("seen", "z 1")
    assert schema.read.header == ("seen", "z 1", "z")


def test_one_name_is_enough_where_the_other_can_be_told() -> None:
    frame = pl.DataFrame({"seen": CLICK, "buy": BUY, "shop": SHOP})
    with pytest.raises(InputError, match="cannot tell the conversion column"):
        propose_schema(FrameSource(frame.rename({"buy": "q"}).select("seen", "shop")), "seen")
    text = propose_schema(FrameSource(frame), click="seen")
    assert LogSchema.parse(yaml.safe_load(text)).conversion.column == "buy"
    text = propose_schema(FrameSource(frame.rename({"buy": "q"})), conversion="q")
    assert LogSchema.parse(yaml.safe_load(text)).click.column == "seen"


def test_nothing_looks_like_a_label() -> None:
    with pytest.raises(InputError, match="there is none that looks like it") as caught:
        propose_schema(FrameSource(pl.DataFrame({"z": SHOP})))
    assert "--propose LOG --click CLICK --conversion CONVERSION" in str(caught.value)


def test_a_click_that_is_1_or_missing_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    frame = {"click": sparse(CLICK, CLICK.astype(int)), "buy": sparse(BUY, BUY.astype(int))}
    pl.DataFrame({**frame, "shop": SHOP}).write_csv(path)
    schema = LogSchema.parse(yaml.safe_load(propose_schema(open_log(path))))
    assert (schema.click.positive, schema.conversion.positive) == ("== 1", "== 1")
    assert check_log(schema, open_log(path)).errors == ()


def test_the_options_go_with_propose_alone(tmp_path: Path) -> None:
    result = run("check", tmp_path, "--click", "c")
    assert result.code == 2
    assert "--propose" in result.err
