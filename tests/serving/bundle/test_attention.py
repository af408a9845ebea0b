"""From a log whose histories are attended to scores: prepare, train, evaluate, export."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from helpers.mixed_log import MIXED
from helpers.runs import small_settings
from postclick import export, prepare, train
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.runs.run import Run
from postclick.serving.bundle import onnx_model as runtime
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.bundle.graph_inputs import Feed

HISTORY, TAGS = MIXED["multi"]
SCHEMA = {
    **MIXED,
    "multi": [
        {**HISTORY, "pooling": "attention", "target": "shop"},
        {**TAGS, "pooling": "attention", "target": "user"},
    ],
}
# The user's history meets the shop of each candidate; tags of a candidate meet the user.
USER = ["user", "age", "history"]


@pytest.fixture(scope="module")
def run(mixed_raw: tuple[pl.DataFrame, pl.DataFrame], tmp_path_factory: Any) -> Run:
    out = tmp_path_factory.mktemp("attended")
    train_rows, test_rows = (FrameSource(frame) for frame in mixed_raw)
    log = prepare(LogSplits(LogSchema.parse(SCHEMA), train_rows, test_rows), out / "data")
    made = train(log, small_settings("esmm", "attention=[8]", "epochs=1"), out / "run")
    made.evaluate(log, keep_predictions=True)
    return made


def test_the_target_is_in_manifest_and_schema(run: Run, mixed_data: PreparedLog) -> None:
    manifest = Manifest.read(run.folder)
    assert [bag.target for bag in manifest.bags] == ["shop", "user"]
    assert PreparedLog(run.folder).inputs.bag_targets == (1, 0)
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["network"]["attention"] == [8]
    assert mixed_data.inputs.bag_targets == (None, None)
    written = (mixed_data.folder / "manifest.json").read_text()
    assert "target" not in written, "logs without a target are written as they were before"


@pytest.mark.parametrize("user", [(), USER])
def test_a_bundle_scores_as_the_run_does(
    run: Run, user: list[str], mixed_raw: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    bundle = export(run, tmp_path / "bundle", user_features=user)
    assert bundle.info.parity.largest_difference < 1e-5
    assert set(bundle.info.user_features) == set(user)
    raw = mixed_raw[1]
    scores = bundle.score(raw)
    # Predictions are in the log's shuffled order: compared as they lie, sorted.
    kept = run.predictions("test")
    for column, logit in (("pctr", "ctr_logit"), ("pcvr", "cvr_logit")):
        expected = 1 / (1 + np.exp(-kept[logit].to_numpy().astype(np.float64)))
        found = np.sort(scores[column].to_numpy())
        np.testing.assert_allclose(found, np.sort(expected), atol=2e-6)
    if user:
        of_user, own = ["user", "age", "history", "weight"], ["shop", "size", "Grün/é", "price"]
        full = raw.filter(pl.col("history").list.len() > 1)
        one, rest = full[:1].select(of_user), raw[:40].select(*own, "spend", "tags")
        together = pl.concat([pl.concat([one] * 40), rest], how="horizontal")
        apart, whole = bundle.score_candidates(one, rest), bundle.score(together)
        for name in whole.columns:
            assert (apart[name] - whole[name]).abs().max() < 1e-6  # type: ignore[operator]
        nothing = {"history": pl.List(pl.String), "weight": pl.List(pl.Float64)}
        empty = one.with_columns(pl.lit([], kind).alias(name) for name, kind in nothing.items())
        assert bundle.score_candidates(empty, rest)["pctr"].is_finite().all()
        assert not bundle.score_candidates(empty, rest).equals(apart)


def test_a_long_list_of_a_user_is_met_in_small_blocks(
    run: Run,
    mixed_raw: tuple[pl.DataFrame, pl.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is made of it for each candidate has to fit into memory."""
    bundle = export(run, tmp_path / "bundle", user_features=USER)
    raw = mixed_raw[1]
    one = raw.filter(pl.col("history").list.len() > 2)[:1].select(
        "user", "age", "history", "weight"
    )
    rest = raw[:200].drop("user", "age", "history", "weight")
    whole, blocks = bundle.score_candidates(one, rest), []
    plain = Feed.block

    def counted(feed: Feed, start: int, stop: int) -> Any:
        blocks.append(stop - start)
        return plain(feed, start, stop)

    monkeypatch.setattr(Feed, "block", counted)
    monkeypatch.setattr(runtime, "BLOCK_IDS", 3 * 50)
    apart = bundle.score_candidates(one, rest)
    assert blocks == [50] * 4
    for name in whole.columns:
        assert (apart[name] - whole[name]).abs().max() < 1e-6  # type: ignore[operator]


def test_reopened_it_scores_the_same(
    run: Run, mixed_raw: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    made = export(run, tmp_path / "bundle")
    again = Bundle.open(tmp_path / "bundle")
    assert [bag.target for bag in again.info.bags] == ["shop", "user"]
    assert again.score(mixed_raw[1]).equals(made.score(mixed_raw[1]))
