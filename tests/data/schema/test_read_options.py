"""`--read KEY=VALUE` beside what the schema says."""

import pytest

from postclick.data.schema import LogSchema, ReadSettings
from postclick.data.schema.read_options import read_settings, with_read
from postclick.errors import InputError

SCHEMA = LogSchema.parse(
    {
        "click": "click",
        "conversion": "buy",
        "categorical": ["shop"],
        "read": {"separator": "|", "encoding": "latin-1"},
        "missing": ["-"],
    }
)


def test_options_take_the_place_of_the_schemas() -> None:
    found = with_read(SCHEMA, ["separator=tab", "decimal=,", "header=a, b", "missing=NA,-1"])
    assert found.read == ReadSettings(
        separator="\t", decimal=",", header=("a", "b"), encoding="latin-1"
    )
    assert found.missing == ("NA", "-1")
    assert with_read(SCHEMA, []) is SCHEMA
    assert with_read(SCHEMA, ["header=false"]).read.header is False
    assert with_read(SCHEMA, ["header=[a, 'b, c']"]).read.header == ("a", "b, c")
    assert with_read(SCHEMA, ["separator=;"]).read.separator == ";"
    assert LogSchema.parse(SCHEMA.model_dump(mode="json")) == SCHEMA


def test_without_a_schema() -> None:
    assert read_settings(["separator= "]).separator == " "
    assert read_settings([], SCHEMA.read) == SCHEMA.read
    assert read_settings(["encoding=utf-16"], SCHEMA.read).separator == "|"
    with pytest.raises(InputError, match="said in the schema"):
        read_settings(["missing=NA"])


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("seperator=;", "expected KEY=VALUE, where KEY is separator, decimal, header, encoding"),
        ("separator", "expected KEY=VALUE"),
        ("separator=::", "separator '::' is not one character"),
        ("decimal=x", "decimal"),
        ("encoding=klingon", "encoding 'klingon' is not known"),
        ("header=a,a", "header names 'a' twice"),
        ("header=[a", "the list is not YAML"),
    ],
)
def test_wrong_options_are_one_line(option: str, says: str) -> None:
    for call in (lambda: with_read(SCHEMA, [option]), lambda: read_settings([option])):
        with pytest.raises(InputError) as caught:
            call()
        assert says in str(caught.value) and "\n" not in str(caught.value)
