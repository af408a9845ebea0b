"""Vectors and hashed values through `prepare`, against numpy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from helpers.vector_log import KINDS, SIZE, vector_log
from postclick.data.check.check_log import check_log
from postclick.data.encode.encoder import Encoder
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.read.values.bucket_hash import bucket_ids
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.errors import InputError

TRAIN, TEST = vector_log(2_000), vector_log(500, seed=1)


def prepared(out: Path, train: Any = TRAIN, schema: Any = None, **options: Any) -> PreparedLog:
    source = FrameSource(train) if isinstance(train, pl.DataFrame) else train
    settings = LogSchema.parse({**KINDS, **(schema or {})})
    return prepare(LogSplits(settings, source, FrameSource(TEST)), out, shard_rows=700, **options)


def images(frame: pl.DataFrame) -> np.ndarray:
    """float64 [n, SIZE], NaN where missing."""
    none = [None] * SIZE
    return np.array([row or none for row in frame["image"].to_list()], dtype=np.float64)


def whole(log: PreparedLog, split: str) -> pl.DataFrame:
    return pl.read_parquet(log.folder / split / "*.parquet")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return prepared(tmp_path_factory.mktemp("vectors") / "data", valid_fraction=0.0)


def test_the_manifest_says_how_it_was_scaled(log: PreparedLog) -> None:
    image, text = log.manifest.vectors
    known = images(TRAIN)
    np.testing.assert_allclose(image.mean, np.nanmean(known, axis=0), rtol=1e-12)
    np.testing.assert_allclose(image.std, np.nanstd(known, axis=0), rtol=1e-12)
    assert (image.size, image.project, text.size, text.project) == (SIZE, 3, 2, None)
    assert (text.mean, text.std) == ((), ())
    assert log.inputs.vectors == ((SIZE, 3), (2, None))
    assert [c.name for c in log.manifest.numerics] == ["price", "image__missing"]
    assert [(c.name, c.size, c.hashed) for c in log.manifest.ids[1:]] == [("ad", 301, True)]
    assert sorted(log.manifest.vocabularies) == ["user.parquet"]


@pytest.mark.parametrize(("split", "raw"), [("train", TRAIN), ("test", TEST)])
def test_shards_hold_what_numpy_computes(log: PreparedLog, split: str, raw: pl.DataFrame) -> None:
    found = whole(log, split)
    assert found["image"].dtype == pl.Array(pl.Float32, SIZE)
    known = images(TRAIN)
    given = images(raw)
    scaled = np.nan_to_num((given - np.nanmean(known, 0)) / np.nanstd(known, 0))
    missing = np.isnan(given).all(axis=1)
    texts = np.array([json.loads(text) for text in raw["text"]])
    expected = np.column_stack(
        [bucket_ids(raw["ad"].cast(pl.String), 300), missing, scaled, texts]
    ).astype(np.float32)
    ours = np.column_stack([found["ad"], found["image__missing"], found["image"], found["text"]])
    order, theirs = np.lexsort(ours.T[::-1]), np.lexsort(expected.T[::-1])
    np.testing.assert_allclose(ours[order], expected[theirs], rtol=2e-6, atol=2e-6)
    rows = log.rows(split)
    assert rows.numeric.shape == (len(raw), log.inputs.numeric_width) == (len(raw), 2 + SIZE + 2)
    np.testing.assert_array_equal(rows.numeric[:, 2 : 2 + SIZE].numpy(), found["image"].to_numpy())
    np.testing.assert_array_equal(rows.numeric[:, 2 + SIZE :].numpy(), found["text"].to_numpy())
    batch = rows.take(torch.tensor([3, 1]))
    np.testing.assert_array_equal(batch.numeric.numpy(), rows.numeric[[3, 1]].numpy())


def test_the_loaded_encoder_makes_the_same_rows(log: PreparedLog) -> None:
    schema = log.manifest.log_schema
    canonical = Canonicalizer(schema, TEST.columns).convert(TEST, Issues())
    encoded = Encoder.load(log.folder, log.manifest).encode(canonical)
    names = ["ad", "user", "price", "image__missing"]
    found, expected = (f.sort(names) for f in (encoded, whole(log, "test")))
    assert found["image"].equals(expected["image"])
    assert found["text"].equals(expected["text"])
    assert found.select(names).equals(expected.select(names))


def test_every_format_gives_the_same_bytes(log: PreparedLog, tmp_path: Path) -> None:
    TRAIN.write_parquet(tmp_path / "list.parquet")
    # Some are missing, which pyarrow does not read.
    arrays = pl.Series("image", TRAIN["image"].to_list(), dtype=pl.Array(pl.Float64, SIZE))
    TRAIN.with_columns(arrays).write_parquet(tmp_path / "array.parquet")
    brackets = pl.Series(
        "image", [v if v is None else "[" + ", ".join(map(str, v)) + "]" for v in TRAIN["image"]]
    ).str.replace("None", "")
    TRAIN.with_columns(brackets).write_csv(tmp_path / "text.csv")
    images_are_text = {"vector": [{**KINDS["vector"][0], "brackets": True}, KINDS["vector"][1]]}
    logs = [
        prepared(tmp_path / name, open_log(tmp_path / file), schema, valid_fraction=0.0)
        for name, file, schema in (
            ("a", "list.parquet", {}),
            ("b", "array.parquet", {}),
            ("c", "text.csv", images_are_text),
        )
    ]
    expected = [shard.sha256 for shard in log.manifest.split("train").shards]
    for other in logs:
        assert [shard.sha256 for shard in other.manifest.split("train").shards] == expected
        assert other.manifest.vectors == log.manifest.vectors


def test_a_log_without_them_says_nothing_of_them(tmp_path: Path) -> None:
    log = prepared(tmp_path / "data", schema={"hashed": [], "vector": []})
    text = (log.folder / "manifest.json").read_text()
    assert not any(word in text for word in ("vector", "hashed", "buckets"))
    assert Manifest.read(log.folder).vectors == ()
    assert log.inputs.vectors == ()


def test_no_flag_where_no_training_row_lacks_its_vector(tmp_path: Path) -> None:
    log = prepared(tmp_path / "data", TRAIN.filter(pl.col("image").is_not_null()))
    assert [c.name for c in log.manifest.numerics] == ["price"]


def test_vectors_alone_are_features_enough(tmp_path: Path) -> None:
    only = {"categorical": [], "numeric": [], "hashed": []}
    log = prepared(tmp_path / "data", schema=only)
    assert log.inputs.field_sizes == ()
    assert log.rows("test").ids.shape == (500, 0)


def findings(frame: pl.DataFrame, vector: dict[str, Any]) -> dict[str, tuple[str, str]]:
    schema = LogSchema.parse({**KINDS, "vector": [vector]})
    report = check_log(schema, FrameSource(frame))
    return {f.code: (f.severity, f.message) for f in report.findings if f.column == vector["name"]}


def test_a_wrong_size_is_an_error_whose_mend_works(tmp_path: Path) -> None:
    severity, message = findings(TRAIN, {"name": "image", "size": 4})["vector-length"]
    assert severity == "error"
    lacking = TRAIN["image"].null_count()
    assert f"{2000 - lacking:,} of 2,000 rows" in message
    assert message.endswith(f"than 4 ({SIZE} in {2000 - lacking:,}): set size: {SIZE}")
    assert "vector-length" not in findings(TRAIN, {"name": "image", "size": SIZE})
    with pytest.raises(InputError, match=f"set size: {SIZE}"):
        prepared(tmp_path / "data", schema={"vector": [{"name": "image", "size": 4}]})
    assert not (tmp_path / "data").exists()


def test_a_few_other_lengths_are_rows_to_mend() -> None:
    odd = pl.int_range(pl.len()) % 50 == 7
    frame = TRAIN.with_columns(pl.when(odd).then([1.0, 2.0]).otherwise("image").alias("image"))
    severity, message = findings(frame, {"name": "image", "size": SIZE})["vector-length"]
    assert severity == "error"
    assert "(2 in 40): mend those rows" in message
    assert "set size" not in message


def test_gaps_and_text_that_is_no_number() -> None:
    severity, message = findings(TRAIN, {"name": "image", "size": SIZE})["vector-gaps"]
    assert severity == "warning"
    gaps = int(TRAIN["image"].list.get(0).is_null().sum()) - TRAIN["image"].null_count()
    assert f"{gaps:,} of 2,000 rows" in message
    wrong = TRAIN.with_columns(pl.lit("[1, b]").alias("text"))
    severity, message = findings(wrong, {"name": "text", "size": 2, "brackets": True})[
        "unreadable-vector"
    ]
    assert severity == "error"
    assert "' b'" in message


def test_a_vector_that_knows_the_label_is_found() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2_000, 4))
    noise[:, 2] += 20 * TRAIN["click"].to_numpy()
    frame = TRAIN.with_columns(pl.Series("image", noise.tolist()))
    severity, message = findings(frame, {"name": "image", "size": 4})["outcome-leakage"]
    assert severity == "error"
    assert "click" in message
    assert "outcome-leakage" not in findings(TRAIN, {"name": "image", "size": SIZE})


def test_an_almost_empty_vector_is_told() -> None:
    rare = pl.when(pl.int_range(pl.len()) % 100 == 0).then("image").alias("image")
    assert "mostly-missing" in findings(TRAIN.with_columns(rare), {"name": "image", "size": SIZE})
    assert "mostly-missing" not in findings(TRAIN, {"name": "image", "size": SIZE})
