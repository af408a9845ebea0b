"""Thousands of random CSVs and schemas: a result or one line, never anything else."""

import os
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postclick import prepare
from postclick.data.prepared import PreparedLog
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.errors import InputError

EXAMPLES = int(os.environ.get("POSTCLICK_EXAMPLES", "250"))
pytestmark = pytest.mark.slow
RANDOM = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)

NAMES = ["user", "item", "price", "tags", "__weights", "a b", "Größe", "", "x" * 300, "click"]
NAME = st.sampled_from([*NAMES[:4], *NAMES, *NAMES[:4]])  # most of them plain
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00") | st.sampled_from('",|;\n\r\t 0'),
    max_size=8,
)
VALUES = st.lists(
    st.sampled_from(["0", "1", "", "NULL", "nan", "inf", "-1", "2", "1e400", "007", "0.5", "true"])
    | TEXTS,
    min_size=1,
    max_size=6,
)


def quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if set(value) & set('",\n\r') else value


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    """Tables of odd values; one in two has odd labels, columns, lines or bytes, or is cut."""
    names = ["click", "buy", *draw(st.lists(NAME, max_size=4, unique=True)), "user"]
    damage = draw(st.integers(0, 13))
    if damage != 1:
        names = list(dict.fromkeys(names))
    known = {name: draw(VALUES) for name in names}
    random, lines = draw(st.randoms(use_true_random=False)), [",".join(map(quoted, names))]
    for _ in range(0 if damage == 9 else draw(st.sampled_from([150, 200, 250, 30, 1]))):
        row = {name: random.choice(values) for name, values in known.items()}
        if damage != 3:
            row["click"] = random.choice("01")
            row["buy"] = random.choice("01") if row["click"] == "1" else "0"
        lines.append(",".join(quoted(row[name]) for name in names))
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines).encode()
    if damage == 4:
        return text[: draw(st.integers(0, len(text)))]
    if damage == 5:
        return text + b"\n" + draw(st.binary(max_size=200))
    if damage == 6:
        return text + b"," * draw(st.integers(1, 5)) + b"\n"
    return text + (b"\n" if draw(st.booleans()) else b"")


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable, max_size=6)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def entry(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A column with a name, some of these settings and, rarely, one that makes no sense."""
    odd = st.dictionaries(st.sampled_from([*values, "odd"]), ANYTHING, max_size=1)
    plain = st.fixed_dictionaries({"name": NAME}, optional=values)
    return plain | st.tuples(plain, odd).map(lambda both: {**both[0], **both[1]})


COLUMNS = {
    "categorical": NAME | entry(min_count=st.sampled_from([1, 2, 3, 0, -1])),
    "numeric": NAME
    | entry(
        transform=st.sampled_from(["standardize", "log1p", "quantile", "quantile", "odd"]),
        bins=st.sampled_from([8, 4, 2, 1, -1]),
    ),
    "multi": entry(
        separator=st.sampled_from(["|", " ", "ab", "|", ""]),
        weights=NAME,
        max_length=st.sampled_from([1, 2, 3, 0]),
        pooling=st.sampled_from(["mean", "sum", "mean", "sum", "max"]),
    ),
    "ignore": NAME,
}


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    """Settings that could be right; one in four has something else in some place."""
    schema: dict[str, Any] = {"click": "click", "conversion": "buy"}
    for kind, column in COLUMNS.items():
        if found := draw(st.lists(column, max_size=3)):
            schema[kind] = found
    if draw(st.booleans()):
        schema["embedding_dim"] = draw(st.sampled_from([8, 1, 4, 10**9, 0, -1]))
    if draw(st.integers(0, 3)) == 3:
        schema[draw(st.sampled_from([*COLUMNS, "click", "conversion", "extra"]))] = draw(ANYTHING)
    return schema if draw(st.integers(0, 19)) < 19 else draw(ANYTHING)


PLAIN = {"click": "click", "conversion": "buy", "categorical": ["user"]}


def row(k: int) -> bytes:
    """A line of a log that has all columns; every fourth row is clicked."""
    click, buy = k % 4 == 0, k % 8 == 0
    values = (k % 7, k % 3, f"{k % 11}.5", "a|b" if k % 2 else "c", k % 5 / 4, k % 2, "ß", 1, k)
    return ",".join(map(str, (*values, int(click), int(buy), "odd"))).encode() + b"\n"


def one_line(error: InputError) -> None:
    text = str(error)
    assert text and "\n" not in text and "\r" not in text, text


def check_prepared(log: PreparedLog) -> None:
    splits = log.manifest.splits
    for name, split in splits.items():
        rows = log.rows(name)
        assert len(rows) == split.rows and int(rows.click.sum()) == split.clicks
        assert rows.ids.shape == (split.rows, len(log.inputs.field_sizes))
        assert bool(rows.numeric.isfinite().all())


def try_to_prepare(schema: LogSchema, content: bytes, folder: Path, kept: list[int]) -> None:
    path, out = folder / "log.csv", folder / f"data{len(kept)}"
    path.write_bytes(content)
    kept.append(0)
    try:
        log = prepare(LogSplits(schema, open_log(path)), out, on_bad_rows="drop")
    except InputError as error:
        one_line(error)
        assert not out.exists()
    else:
        check_prepared(log)
        kept[-1] = 1
    assert not [path for path in folder.iterdir() if ".tmp-" in path.name]


def test_random_logs(tmp_path: Path) -> None:
    kept: list[int] = []

    @RANDOM
    @given(csv_files())
    def attempt(content: bytes) -> None:
        try_to_prepare(LogSchema.parse(PLAIN), content, tmp_path, kept)

    attempt()
    print(f"\n{len(kept)} random logs: {sum(kept)} prepared, the others refused in one line")
    assert 0 < sum(kept) < len(kept)


def test_random_schemas(tmp_path: Path) -> None:
    kept: list[int] = []
    good = b"".join([",".join(NAMES).encode(), b",buy,odd\n", *map(row, range(200))])

    @RANDOM
    @given(schemas())
    def attempt(content: Any) -> None:
        path = tmp_path / "schema.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        try:
            schema = LogSchema.load(path)
        except InputError as error:
            kept.append(0)
            return one_line(error)
        return try_to_prepare(schema, good, tmp_path, kept)

    attempt()
    print(f"\n{len(kept)} random schemas: {sum(kept)} prepared, the others refused in one line")
    assert 0 < sum(kept) < len(kept)


def test_random_bytes_as_a_schema(tmp_path: Path) -> None:
    @RANDOM
    @given(st.binary(max_size=120) | st.text(max_size=80).map(str.encode))
    def attempt(content: bytes) -> None:
        path = tmp_path / "schema.yaml"
        path.write_bytes(content)
        with pytest.raises(InputError) as error:
            LogSchema.load(path)
        one_line(error.value)

    attempt()
