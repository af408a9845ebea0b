"""A bundle of a log whose features are all of one kind; most of these have no vocabulary."""

from pathlib import Path
from typing import Any

import pytest

from helpers.runs import small_settings
from helpers.vector_log import SIZE, vector_log
from postclick import export, prepare, train
from postclick.data.manifest import VOCABULARIES
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.serving.bundle.bundle import Bundle

ALONE: dict[str, dict[str, Any]] = {
    "hashed": {"hashed": [{"name": "ad", "buckets": 30}]},
    "vector": {"vector": [{"name": "image", "size": SIZE}]},
    "numeric": {"numeric": ["price"]},
    "bins": {"numeric": [{"name": "price", "transform": "quantile"}]},
    "categorical": {"categorical": ["user"]},
}


@pytest.mark.parametrize("kind", ALONE)
def test_features_of_one_kind(kind: str, tmp_path: Path) -> None:
    schema = LogSchema.parse({"click": "click", "conversion": "buy", **ALONE[kind]})
    log = vector_log(600)
    data = prepare(LogSplits(schema, FrameSource(log)), tmp_path / "data")
    run = train(data, small_settings("esmm", "epochs=1"), tmp_path / "run")
    bundle = export(run, tmp_path / "bundle")
    assert (bundle.folder / VOCABULARIES).exists() == (kind == "categorical")
    again = Bundle.open(bundle.folder)
    assert again.score(log).equals(bundle.score(log))
    assert again.score(log)["pctr"].n_unique() > 1
