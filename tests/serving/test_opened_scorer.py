"""A run scores raw rows as its bundle does, and either is opened by its files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.expected_scores import expected_scores, largest_difference
from helpers.runs import small_settings
from postclick import calibrate, export, prepare, simulate, train
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.errors import InputError
from postclick.judging.scorer import Scorer, with_log
from postclick.runs.run import Run
from postclick.runs.run_scorer import RunScorer
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.opened_scorer import open_scorer

Raw = tuple[pl.DataFrame, pl.DataFrame]
# Absolute: the last digits of float32.
LIMIT = 1e-6


@pytest.fixture(scope="module")
def scorer(mixed_run: Run) -> RunScorer:
    return RunScorer(mixed_run)


@pytest.fixture(scope="module", params=["naive", "aitm"])
def thinned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A calibrated run on a log of which a fifth of the negatives was kept; pCTCVR of `aitm` is
    the method's own."""
    world = simulate("confounded", rows=20_000, seed=3, ctr=0.1, cvr=0.3, users=200, items=60)
    splits = LogSplits(world.schema, FrameSource(world.train), FrameSource(world.test))
    folder = tmp_path_factory.mktemp("thinned")
    log = prepare(splits, folder / "data", negative_rate=0.2)
    run = train(log, small_settings(request.param, seed=1), folder / request.param)
    calibrate(run, log, "platt")
    world.test.write_parquet(folder / "later.parquet")
    return run


def test_a_run_scores_as_its_bundle_and_as_its_kept_predictions(
    scorer: RunScorer,
    mixed_bundle: Bundle,
    mixed_run: Run,
    mixed_data: PreparedLog,
    mixed_raw: Raw,
) -> None:
    """Unseen ids, gaps in numbers, lists that are empty, cut and weighted, separated text."""
    test = mixed_raw[1]
    scores = scorer.score(test)
    assert scores.columns == ["pctr", "pcvr", "pctcvr"] and set(scores.dtypes) == {pl.Float32}
    assert largest_difference(scores, mixed_bundle.score(test)) < LIMIT
    assert largest_difference(scores, expected_scores(mixed_run, mixed_data, test)) < LIMIT
    assert scores["pctr"].n_unique() > 600  # nothing that is the same for all rows


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("negative_rate", [1.0, 0.5])
def test_the_corrections_are_those_of_the_bundle(
    thinned: Run, calibrated: bool, negative_rate: float, tmp_path: Path
) -> None:
    rows = pl.read_parquet(thinned.folder.parent / "later.parquet")
    options: dict[str, Any] = {"calibrated": calibrated, "negative_rate": negative_rate}
    bundle = export(thinned, tmp_path / "bundle", **options)
    found = RunScorer(thinned, **options).score(rows)
    assert largest_difference(found, bundle.score(rows)) < LIMIT
    assert (bundle.info.calibration is None) is not calibrated
    others = RunScorer(thinned, calibrated=not calibrated, negative_rate=negative_rate).score(rows)
    assert largest_difference(found, others) > 1e-3, "the calibrator does something"


@pytest.mark.parametrize(
    "table",
    [lambda f: f.to_arrow(), lambda f: f.lazy(), lambda f: f.select("click", *f.columns[:-2])],
    ids=["arrow", "lazy", "other order"],
)
def test_any_table(scorer: RunScorer, mixed_raw: Raw, table: Callable[[pl.DataFrame], Any]) -> None:
    rows = mixed_raw[1].head(300)
    assert largest_difference(scorer.score(table(rows)), scorer.score(rows)) == 0


def test_pandas_rows(scorer: RunScorer, mixed_raw: Raw) -> None:
    rows = mixed_raw[1].head(300)
    found = scorer.score(rows.to_pandas())
    assert largest_difference(found, scorer.score(rows)) == 0


@pytest.mark.parametrize("rows", [0, 1, 511, 512, 513])
def test_rows_are_scored_in_pieces(
    mixed_run: Run, mixed_raw: Raw, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever their number, and the model never sees more than a piece."""
    small = RunScorer(mixed_run)
    seen: list[int] = []
    encode = small.encode

    def counted(frame: pl.DataFrame) -> Any:
        seen.append(frame.height)
        return encode(frame)

    monkeypatch.setattr(small, "encode", counted)
    training = mixed_run.settings.training.model_copy(update={"eval_batch_size": 512})
    settings = mixed_run.settings.model_copy(update={"training": training})
    monkeypatch.setattr(small.run, "settings", settings)
    test = mixed_raw[1].head(rows)
    found = small.score(test)
    assert largest_difference(found, RunScorer(mixed_run).score(test)) < LIMIT
    assert found.height == rows == sum(seen) and max(seen) <= 512


def test_it_is_opened_by_its_files(
    mixed_run: Run, mixed_folder: Path, mixed_bundle: Bundle, mixed_raw: Raw
) -> None:
    run, bundle = open_scorer(mixed_run.folder), open_scorer(mixed_folder, threads=1)
    assert isinstance(run, RunScorer) and isinstance(bundle, Bundle)
    for one in (run, bundle):
        assert isinstance(one, Scorer)
        assert one.log_schema == mixed_run.manifest.log_schema
    assert (run.name, bundle.name) == ("run", "bundle")
    assert run.features == bundle.features
    test = mixed_raw[1].select(run.features)
    assert largest_difference(run.score(test), mixed_bundle.score(test)) < LIMIT


def test_what_is_neither_is_refused(tmp_path: Path, mixed_data: PreparedLog) -> None:
    for folder in (tmp_path, mixed_data.folder, tmp_path / "nothing"):
        with pytest.raises(InputError, match="is neither a run nor a bundle: name a folder that"):
            open_scorer(folder)
    (tmp_path / "run.partial").mkdir()
    with pytest.raises(InputError, match=r"unfinished: run 'postclick train' again to resume"):
        open_scorer(tmp_path / "run")


def test_bad_rows_and_options_are_refused(
    scorer: RunScorer, mixed_run: Run, mixed_raw: Raw
) -> None:
    test = mixed_raw[1]
    with pytest.raises(InputError, match="no column 'shop' among the rows to score"):
        scorer.score(test.drop("shop"))
    words = test.with_columns(pl.lit("dear").alias("price"))
    with pytest.raises(InputError, match="price"):
        scorer.score(words)
    with pytest.raises(InputError, match="negative_rate is 0"):
        RunScorer(mixed_run, negative_rate=0)
    with pytest.raises(InputError, match='cannot be computed on cuda:99 here.*device="cpu"'):
        RunScorer(mixed_run, device="cuda:99").score(test)


def test_a_calibrator_of_another_run_is_refused(thinned: Run, mixed_run: Run) -> None:
    path = mixed_run.folder / "calibration.json"
    path.write_bytes((thinned.folder / "calibration.json").read_bytes())
    try:
        with pytest.raises(InputError, match="fitted on another log"):
            RunScorer(mixed_run)
        RunScorer(mixed_run, calibrated=False)
    finally:
        path.unlink()


def test_text_with_other_decimals_than_in_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = 600
    click = rng.random(rows) < 0.5
    log = pl.DataFrame(
        {
            "click": click.astype(int),
            "buy": (click & (rng.random(rows) < 0.4)).astype(int),
            "rate": [str(k) for k in rng.integers(0, 6, rows) + 0.25],
            "price": [f"{x:.3f}" for x in rng.lognormal(size=rows)],
        }
    )
    schema = LogSchema.parse(
        {"click": "click", "conversion": "buy", "categorical": ["rate"], "numeric": ["price"]}
    )
    prepared = prepare(LogSplits(schema, FrameSource(log)), tmp_path / "data")
    run = train(prepared, small_settings("naive", "epochs=1"), tmp_path / "run")
    comma = log.with_columns(pl.col("rate", "price").str.replace(".", ",", literal=True))
    comma.write_csv(tmp_path / "comma.csv", separator=";")
    plain = open_scorer(run.folder)
    changed, source = with_log(plain, tmp_path / "comma.csv")
    assert changed is not plain
    found = pl.concat(changed.score(frame) for frame in source.frames(changed.features))
    assert largest_difference(found, plain.score(log)) < LIMIT
    same, _ = with_log(plain, FrameSource(log))
    assert same is plain
    with pytest.raises(InputError, match="--read 'decimals=,': expected KEY=VALUE"):
        with_log(plain, log, ["decimals=,"])
