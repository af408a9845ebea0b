from pathlib import Path
from typing import Any

import pytest
import yaml

from postclick.data.schema import LogSchema
from postclick.errors import InputError

GOOD: dict[str, Any] = {
    "click": "c",
    "conversion": "v",
    "categorical": ["user", {"name": "shop", "min_count": 5}],
    "numeric": [{"name": "price", "transform": "log1p"}],
    "multi": [{"name": "history", "separator": "|", "pooling": "sum"}],
    "ignore": "spend",
    "key": ["user", "shop"],
    "time": "ts",
}


def test_yaml_round_trip(tmp_path: Path) -> None:
    schema = LogSchema.parse(GOOD)
    path = tmp_path / "schema.yaml"
    path.write_text(schema.to_yaml())
    assert LogSchema.load(path) == schema
    assert schema.ignore == ("spend",)
    assert schema.feature_names == ("user", "shop", "price", "history")
    assert schema.columns == ("c", "v", "user", "shop", "price", "history", "ts")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"click": None}, "click"),
        ({"conversion": "c"}, "same column 'c'"),
        ({"categorical": [], "numeric": [], "multi": [], "key": []}, "no features"),
        ({"categorical": ["user", "user"]}, "'user' is listed twice"),
        ({"categorical": ["c"]}, "'c' is an outcome and a feature"),
        ({"truth": {"cvr": "price"}}, "'price' is an outcome and a feature"),
        ({"ignore": ["user"]}, "'user' is a feature and under ignore"),
        ({"categories": ["x"]}, "categories: is not a known setting"),
        ({"numeric": [{"name": "price", "bins": 1}]}, "bins"),
        ({"numeric": [{"name": "price", "transform": "sqrt"}]}, "transform"),
        ({"min_count": 0}, "min_count"),
        ({"multi": [{"name": "history", "separator": ""}]}, "separator"),
        ({"group": "v"}, "'v' is an outcome and the group"),
        ({"group": ""}, "group"),
        ({"group": ["user", "shop"]}, "group"),
        (
            {"multi": [{"name": "h", "pooling": "attention"}]},
            "'h' is pooled by attention to nothing",
        ),
        ({"multi": [{"name": "h", "target": "user"}]}, "a target and pooling: mean: set pooling:"),
        (
            {"multi": [{"name": "h", "pooling": "attention", "target": "price"}]},
            "'h' has the target 'price', which is no categorical feature; there are user, shop",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match="schema") as caught:
        LogSchema.parse({**GOOD, **change})
    message = str(caught.value)
    assert says in message
    assert "\n" not in message


def test_a_target_is_written_and_its_absence_is_not() -> None:
    attended = [{"name": "history", "pooling": "attention", "target": "user"}]
    schema = LogSchema.parse({**GOOD, "multi": attended})
    assert LogSchema.parse(yaml.safe_load(schema.to_yaml())) == schema
    assert schema.model_dump(mode="json")["multi"][0]["target"] == "user"
    plain = LogSchema.parse(GOOD).model_dump(mode="json")["multi"][0]
    assert list(plain) == ["name", "separator", "weights", "min_count", "pooling", "max_length"]


def test_weights_may_not_be_an_outcome() -> None:
    bad = {**GOOD, "multi": [{"name": "history", "weights": "v"}]}
    with pytest.raises(InputError, match="'v' is an outcome and a feature"):
        LogSchema.parse(bad)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", ""])
def test_a_file_that_is_not_a_mapping(tmp_path: Path, text: str) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="expected a mapping"):
        LogSchema.load(path)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        LogSchema.load(tmp_path / "none.yaml")
    path = tmp_path / "schema.yaml"
    path.write_text("click: [c\nconversion: v")
    with pytest.raises(InputError, match="cannot be read as YAML") as caught:
        LogSchema.load(path)
    assert "\n" not in str(caught.value)


def test_defaults_are_left_out_of_yaml() -> None:
    text = LogSchema.parse({"click": "c", "conversion": "v", "categorical": ["a"]}).to_yaml()
    assert yaml.safe_load(text) == {"click": "c", "conversion": "v", "categorical": ["a"]}


def test_a_group_is_read_and_no_feature() -> None:
    schema = LogSchema.parse({**GOOD, "group": "request"})
    assert schema.columns == (*LogSchema.parse(GOOD).columns, "request")
    assert "request" not in schema.feature_names
    assert LogSchema.parse(yaml.safe_load(schema.to_yaml())) == schema
    assert LogSchema.parse(schema.model_dump(mode="json")) == schema
    also_feature = LogSchema.parse({**GOOD, "group": "user"})
    assert also_feature.columns == LogSchema.parse(GOOD).columns


def test_a_schema_without_a_group_reads_as_before() -> None:
    schema = LogSchema.parse(GOOD)
    assert "group" not in schema.model_dump()
    assert "group" not in schema.model_dump(mode="json")
    assert "group" not in schema.to_yaml()
