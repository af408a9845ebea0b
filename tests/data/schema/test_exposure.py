"""The exposure in a schema: one column, what may stand beside it, and how it is written."""

from typing import Any

import pytest
import yaml

from postclick.data.schema import LogSchema
from postclick.errors import InputError

PLAIN = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["shop"],
    "multi": [{"name": "history", "weights": "w"}],
}


def parse(exposure: object, **other: Any) -> LogSchema:
    return LogSchema.parse({**PLAIN, **other, "exposure": exposure})


@pytest.mark.parametrize(
    ("written", "at", "yaml_value"),
    [
        ("slot", None, "slot"),
        ({"column": "slot"}, None, "slot"),
        ({"column": "slot", "at": "average"}, None, "slot"),
        ({"column": "slot", "at": 1}, "1", {"column": "slot", "at": "1"}),
        ({"column": "slot", "at": 1.5}, "1.5", {"column": "slot", "at": "1.5"}),
        ({"column": "slot", "at": True}, "true", {"column": "slot", "at": "true"}),
        ({"column": "slot", "verbatim": True}, None, {"column": "slot", "verbatim": True}),
    ],
)
def test_forms(written: object, at: str | None, yaml_value: object) -> None:
    schema = parse(written)
    assert schema.exposure is not None
    assert (schema.exposure.column, schema.exposure.at) == ("slot", at)
    text = schema.to_yaml()
    assert yaml.safe_load(text)["exposure"] == yaml_value
    assert LogSchema.parse(yaml.safe_load(text)) == schema
    assert LogSchema.parse(schema.model_dump(mode="json")) == schema


def test_it_is_read_and_is_no_feature() -> None:
    schema = parse("slot")
    assert "slot" in schema.columns
    assert "slot" not in schema.feature_names
    assert [f.name for f in schema.with_vocabulary] == ["shop", "slot"]


def test_a_schema_without_one_is_written_as_before() -> None:
    schema = LogSchema.parse(PLAIN)
    assert "exposure" not in schema.model_dump()
    assert "exposure" not in schema.to_yaml()


@pytest.mark.parametrize(
    ("exposure", "other", "message"),
    [
        ("shop", {}, "'shop' is a feature and the exposure: take it out of the features, so that"),
        ("w", {}, "'w' is a feature and the exposure"),
        ("click", {}, "'click' is an outcome and the exposure: name a column that is known"),
        ("p", {"truth": {"ctr": "p"}}, "'p' is an outcome and the exposure"),
        ("n", {"weight": "n"}, "'n' is the weight and the exposure: keep one of the two"),
        ("t", {"time": "t"}, "'t' is the time and the exposure: keep one of the two"),
        ("x", {"ignore": ["x"]}, "'x' is the exposure and under ignore: keep one of the two"),
        ({"colum": "x"}, {}, r"exposure.column: Field required"),
        (
            {"column": "x", "att": 1},
            {},
            r"exposure.att: is not a known .* \(did you mean 'at'",
        ),
        ({"column": "x", "at": [1, 2]}, {}, r"exposure.at: Input should be a valid string"),
        (["x", "y"], {}, "exposure"),
        ("", {}, "exposure.column: String should have at least 1 character"),
    ],
)
def test_refusals(exposure: object, other: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(exposure, **other)
