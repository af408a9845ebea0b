"""From a file in the layout of a public log to scores of its own rows."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.runs import small_settings
from layouts.public_files import ROWS
from layouts.public_logs import ALICCP, LOGS, PublicLog
from postclick import check_log, export, open_log, prepare, propose_schema, score, train
from postclick.data.schema import LogSchema
from postclick.data.schema.reading import ReadSettings
from postclick.data.splits import LogSplits
from postclick.errors import InputError


@pytest.fixture(params=list(LOGS), scope="module")
def public(request: pytest.FixtureRequest) -> PublicLog:
    return LOGS[request.param]


@pytest.fixture(scope="module")
def path(public: PublicLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return public.write(tmp_path_factory.mktemp("log"), np.random.default_rng(0))


def test_from_the_file_to_its_scores(public: PublicLog, path: Path, tmp_path: Path) -> None:
    schema = LogSchema.parse(public.schema)
    options: dict[str, Any] = {"on_bad_rows": public.on_bad_rows}
    report = check_log(schema, path, **options)
    assert not report.errors, report.errors
    kept = report.funnel["train"].rows
    assert kept == ROWS if public.on_bad_rows == "error" else ROWS / 2 < kept < ROWS
    log = prepare(LogSplits(schema, path), tmp_path / "data", **options)
    run = train(log, small_settings("naive", "epochs=1"), tmp_path / "run")
    bundle = export(run, tmp_path / "bundle")
    scored = score(bundle.folder, path, tmp_path / "scores.parquet")
    scores = pl.read_parquet(scored.out)
    assert scores.height == ROWS
    assert scores["pctcvr"].is_between(0, 1, closed="none").all()
    assert scores["pctr"].n_unique() > 10


def test_a_drafted_schema_prepares(public: PublicLog, path: Path, tmp_path: Path) -> None:
    options = dict(public.propose)
    if "read" in options:
        options["read"] = ReadSettings.model_validate(options["read"])
    draft = tmp_path / "schema.yaml"
    draft.write_text(propose_schema(path, **options), encoding="utf-8")
    schema = LogSchema.load(draft)
    log = prepare(LogSplits(schema, path), tmp_path / "data", on_bad_rows=public.on_bad_rows)
    assert sum(log.split(name).rows for name in ("train", "valid", "test")) > 0


def test_what_was_written_is_what_is_read(public: PublicLog, path: Path) -> None:
    schema = LogSchema.parse(public.schema)
    source = open_log(path, read=schema.read)
    frames = pl.concat(source.frames(source.columns))
    assert frames.height == ROWS
    assert set(schema.columns) <= set(source.columns)


def test_movielens_with_two_colons(tmp_path: Path) -> None:
    """No separator has several characters: the message says what to do, and it works."""
    rng = np.random.default_rng(0)
    path = LOGS["MovieLens"].write(tmp_path, rng)
    colons = tmp_path / "colons.dat"
    colons.write_text(path.read_text().replace("\t", "::"))
    with pytest.raises(InputError, match="separator '::' is not one character") as caught:
        LogSchema.parse({**LOGS["MovieLens"].schema, "read": {"separator": "::"}})
    assert "\n" not in str(caught.value)
    mended = tmp_path / "mended.dat"
    mended.write_text(colons.read_text().replace("::", "\t"))
    schema = LogSchema.parse(LOGS["MovieLens"].schema)
    assert check_log(schema, mended).funnel["train"].rows == ROWS


def test_aliccp_without_its_separator(tmp_path: Path) -> None:
    """Its lists are parted by a character that other logs have between columns."""
    path = LOGS["Ali-CCP"].write(tmp_path, np.random.default_rng(0))
    with pytest.raises(InputError, match=r"names 6 columns, its first line has 3 .*set separator"):
        open_log(path, read=ReadSettings(header=tuple(ALICCP)))
    assert open_log(path, read=ReadSettings(header=tuple(ALICCP), separator=",")).columns


def test_a_conversion_without_a_click_is_refused_and_mended(tmp_path: Path) -> None:
    """Criteo's "conversion" is one of any impression that came before it, clicked or not."""
    public = LOGS["Criteo attribution"]
    path = public.write(tmp_path, np.random.default_rng(0))
    mistaken = {**public.schema, "conversion": "conversion", "ignore": ["attribution", "cpo"]}
    report = check_log(LogSchema.parse(mistaken), path)
    assert [finding.code for finding in report.errors] == ["conversion-without-click"]
    assert not check_log(LogSchema.parse(public.schema), path).errors
