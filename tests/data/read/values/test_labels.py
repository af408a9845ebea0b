"""Labels: 0/1 in any writing, by a rule, and missing where nobody clicked."""

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from postclick.data.check.check_log import check_log
from postclick.data.read.log_source import FrameSource
from postclick.data.read.values.labels import to_label
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import Label, LogSchema
from postclick.errors import InputError


@pytest.mark.parametrize("one", ["1", "1.0", "1.00", "1e0", " TRUE ", "true"])
def test_a_label_in_any_writing(one: str) -> None:
    label, bad = to_label(pl.Series(["0", one, "False"]))
    assert (label.to_list(), bad.rows) == ([0, 1, 0], 0)


@pytest.mark.parametrize(
    ("values", "rule", "expected"),
    [
        ([0.0, 9.5, None], "> 0", [0, 1, 0]),
        (["0", " 9.5", "NA"], "> 0", [0, 1, 0]),
        ([0, 1, 2], ">= 2", [0, 0, 1]),
        (["paid", "open", None], "== paid", [1, 0, 0]),
        ([3.0, 4.0, None], "== 3", [1, 0, 0]),
        (["open", "", "paid"], "!= open", [0, 0, 1]),
        ([datetime(2026, 1, 5), None, None], "present", [1, 0, 0]),
        (["2026-01-05", "", "\\N"], "present", [1, 0, 0]),
    ],
)
def test_rules(values: list[Any], rule: str, expected: list[int]) -> None:
    label, bad = to_label(pl.Series("x", values), Label(column="x", positive=rule))
    assert (label.to_list(), bad.rows) == (expected, 0)


def test_what_a_rule_cannot_read() -> None:
    label, bad = to_label(pl.Series("x", ["5", "lots"]), Label(column="x", positive="> 0"))
    assert label.to_list() == [1, None] and bad.examples == ("'lots'",)
    with pytest.raises(InputError, match="name another column"):
        to_label(pl.Series("x", [[1]]), Label(column="x", positive="> 0"))


@pytest.mark.parametrize("rule", ["> much", "about 3", ">", "0"])
def test_rules_that_say_nothing(rule: str) -> None:
    labels = {"click": "c", "conversion": {"column": "v", "positive": rule}}
    with pytest.raises(InputError, match="conversion"):
        LogSchema.parse({**labels, "categorical": ["x"]})


def log(conversion: list[Any] | np.ndarray[Any, Any]) -> FrameSource:
    n = np.arange(3000)
    columns = {"click": (n % 3 == 0).astype(int), "buy": conversion, "shop": n % 7}
    return FrameSource(pl.DataFrame(columns, strict=False))


def check(source: FrameSource, conversion: Any = "buy", policy: Any = "error") -> dict[str, str]:
    schema = LogSchema.parse({"click": "click", "conversion": conversion, "categorical": ["shop"]})
    report = check_log(schema, source, on_bad_rows=policy)
    return {f.code: f.message for f in report.errors} | {"funnel": str(report.funnel["train"])}


def test_no_conversion_is_recorded_where_nobody_clicked() -> None:
    """As any LEFT JOIN writes it."""
    joined = [int(k % 9 == 0) if k % 3 == 0 else None for k in range(3000)]
    found = check(log(joined))
    assert found == {"funnel": "Funnel(rows=3000, clicks=1000, conversions=334)"}


def test_a_missing_conversion_of_a_click_is_an_error_with_a_mend_that_works() -> None:
    joined = [1 if k % 9 == 0 else None for k in range(3000)]
    message = check(log(joined))["label-not-binary"]
    assert "666 of 3,000 rows" in message and "positive: '> 0'" in message
    assert "on_bad_rows" not in message  # all clicks without a conversion would go
    found = check(log(joined), {"column": "buy", "positive": "> 0"})
    assert found == {"funnel": "Funnel(rows=3000, clicks=1000, conversions=334)"}


def test_drop_is_advised_only_where_every_kind_of_row_stays() -> None:
    few = [None if k == 3 else int(k % 9 == 0) for k in range(3000)]
    assert "on_bad_rows" in check(log(few))["label-not-binary"]
    wrong = [1] * 3000
    message = check(log(wrong))["conversion-without-click"]
    assert '"drop"' not in message and '"keep"' in message


def test_a_label_in_python_and_in_a_schema() -> None:
    plain = LogSchema(
        click=Label(column="c"),
        conversion=Label(column="v"),
        categorical=LogSchema.parse(
            {"click": "a", "conversion": "b", "categorical": ["x"]}
        ).categorical,
    )
    assert (plain.click.positive, plain.conversion.positive) == (None, None)
    assert LogSchema.parse(plain.model_dump(mode="json")) == plain
    ruled = LogSchema.parse({"click": "c", "conversion": {"column": "t"}, "categorical": ["x"]})
    assert ruled.conversion.positive == "present"
    assert LogSchema.parse(ruled.model_dump(mode="json")) == ruled


@pytest.mark.parametrize("values", [[0, 1, None], [False, True, None], ["0", "1", ""]])
def test_present_is_not_said_of_0(values: list[Any]) -> None:
    label, bad = to_label(pl.Series("x", values), Label(column="x", positive="present"))
    assert (label.to_list(), bad.rows) == ([0, 1, 0], 0)


def test_infinity_is_no_amount() -> None:
    rule = Label(column="x", positive="> 0")
    for values in ([5.0, float("inf")], ["5", "inf"]):
        label, bad = to_label(pl.Series("x", values), rule)
        assert label.to_list() == [1, None] and bad.rows == 1


@pytest.mark.parametrize("operand", ["1", "true"])
@pytest.mark.parametrize("values", [[1, 0], [True, False], ["1", "0"], ["True", "False"]])
def test_1_and_true_are_one_label(values: list[Any], operand: str) -> None:
    rule = Label(column="x", positive=f"== {operand}")
    assert to_label(pl.Series("x", values), rule)[0].to_list() == [1, 0]


def test_every_click_a_conversion_is_an_error() -> None:
    n = np.arange(3000)
    assert (
        "every one of 1,000 clicks" in check(log((n % 3 == 0).astype(int)))["no-unconverted-clicks"]
    )


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical])
@pytest.mark.parametrize("more", [(), ("ten",)])
@pytest.mark.parametrize(
    ("missing", "text", "expected"),
    [
        (None, "NA", 0),
        (None, "nan", 0),
        (("NA",), " na ", 0),
        (("-1",), "-1", 0),
        (("-1",), "NA", None),  # the schema says what is missing, and does not say this
        (("-1",), "nan", 0),
    ],
)
def test_an_amount_is_missing_by_the_schema_alone(
    missing: tuple[str, ...] | None,
    text: str,
    expected: int | None,
    more: tuple[str, ...],
    kind: type[pl.DataType],
) -> None:
    """Whatever the column's type is, and whatever else stands in it."""
    column = pl.Series("paid", ["1", text, *more]).cast(kind)
    found, bad = to_label(column, Label(column="paid", positive="> 0"), ValueRules(missing))
    assert found.to_list() == [1, expected, *([None] * len(more))]
    assert bad.rows == len(more) + (expected is None)
