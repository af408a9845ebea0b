"""JSON lines: mends that are safe to follow, and text among numbers."""

import json
import subprocess
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from postclick.data.read.files.text import json_lines
from postclick.data.read.opening import open_log
from postclick.errors import InputError

NAMES = ["log.jsonl", "log.json", "log.lines.jsonl", "log.ndjson", "my log.json", "a.b.json"]


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        log = open_log(path)
        list(log.frames(log.columns))
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path)), message
    return message.removeprefix(str(path))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("text", "what"), [('[{"a": 1}, {"a": 2}]', "'.[]'"), ('{\n "a": 1}\n{\n "a": 2}\n', "'.'")]
)
def test_the_mend_of_an_array_leaves_it(tmp_path: Path, name: str, text: str, what: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    message = refused(path)
    assert f"jq -c {what} " in message
    # The shell does what the mend says, with a program in jq's place that writes nothing.
    command = message.partition(" such as with ")[2].replace("jq -c", "true", 1)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert path.read_text() == text
    (made,) = set(tmp_path.iterdir()) - {path}
    assert made.name.endswith(".lines.jsonl")


@pytest.mark.parametrize("lead", ["", " \n", " " * 9000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_array_is_refused_by_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lead: str, encoding: str
) -> None:
    def no_blocks(*_: object) -> None:
        raise AssertionError("more than the start was read")

    monkeypatch.setattr(json_lines.JsonLinesSource, "_blocks", no_blocks)
    (tmp_path / "log.jsonl").write_bytes((lead + '[{"a": 1}]').encode(encoding))
    assert "jq -c '.[]' log.jsonl > log.lines.jsonl" in refused(tmp_path / "log.jsonl")


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (1, ["000", "001"]),
        (1, ["+5", 2]),
        (1.5, ["007", 2.5]),
        (1.5, ["12e4"]),
        ([1], [["007"], [3]]),
        (1, [-3, None, 2**60]),
    ],
)
def test_text_in_later_blocks_stays_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: object, later: list[object]
) -> None:
    monkeypatch.setattr(json_lines, "HEAD_BYTES", 64)
    monkeypatch.setattr(json_lines, "JSON_BLOCK_BYTES", 64)
    values = [first] * 50 + later
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps({"a": v}) + "\n" for v in values))
    frames = list(open_log(path).frames(["a"]))
    found = [one for frame in frames for one in frame["a"].to_list()]
    assert len(frames) > 1

    def flat(values: list[object]) -> list[object]:
        return [x for v in values for x in (v if isinstance(v, list) else [v])]

    for got, wrote in zip(flat(found), flat(values), strict=True):
        if isinstance(wrote, str):
            assert got == wrote  # to the letter, as text
        else:
            assert got is None if wrote is None else float(str(got)) == wrote


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv", "log"])
@pytest.mark.parametrize("depth", [150, 3000, 100_000])
@pytest.mark.parametrize("opener", ["[", '{"b":'])
def test_deep_values(tmp_path: Path, name: str, depth: int, opener: str) -> None:
    text = '{"a": 1}\n{"a":' + opener * depth + "1" + ("]" if opener == "[" else "}") * depth + "}"
    for line in (2, 1):
        (tmp_path / name).write_text(text)
        if depth > 1000:
            assert f"line {line} holds lists or objects more than 200 deep" in refused(
                tmp_path / name
            )
        else:
            with suppress(InputError):
                log = open_log(tmp_path / name)
                assert sum(frame.height for frame in log.frames(log.columns)) == line
        text = text.partition("\n")[2]


def test_lists_of_one_level_are_read(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"a": [[1], [2]]}\n')
    (frame,) = open_log(tmp_path / "log.jsonl").frames(["a"])
    assert frame["a"].dtype == pl.List(pl.List(pl.Int64))
