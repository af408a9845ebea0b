"""Scores are the same in every format that the name of the file says."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from helpers.commands import run, succeed
from postclick import score
from postclick.data.read.log_source import FrameSource
from postclick.errors import InputError
from postclick.serving.bundle.bundle import Bundle

Raw = tuple[pl.DataFrame, pl.DataFrame]
READ = {
    ".parquet": pl.read_parquet,
    ".PQ": pl.read_parquet,
    ".arrow": pl.read_ipc,
    ".feather": pl.read_ipc,
    ".csv": pl.read_csv,
    ".tsv": lambda path: pl.read_csv(path, separator="\t"),
    ".jsonl": pl.read_ndjson,
    ".CSV.GZ": pl.read_csv,
    ".jsonl.gz": lambda path: pl.read_ndjson(gzip.decompress(path.read_bytes())),
}


@pytest.mark.parametrize("suffix", READ)
def test_formats(
    mixed_bundle: Bundle,
    mixed_raw: Raw,
    tmp_path: Path,
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("postclick.serving.score_writer.GROUP_ROWS", 500)
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", 250)
    raw, out = mixed_raw[1], tmp_path / f"scores{suffix}"
    for _ in range(2):
        assert score(mixed_bundle, FrameSource(raw), out, keep=["user", "shop"]).rows == raw.height
        first = out.read_bytes()
    found = READ[suffix](out)
    assert found.columns == ["user", "shop", "pctr", "pcvr", "pctcvr"]
    assert found.select("user", "shop").equals(raw.select("user", "shop"))
    whole = mixed_bundle.score(raw)
    for name in whole.columns:
        assert (found[name].cast(pl.Float32) - whole[name]).abs().max() < 1e-6
    assert out.read_bytes() == first and [p.name for p in tmp_path.iterdir()] == [out.name]
    empty = score(mixed_bundle, FrameSource(raw.head(0)), out)
    assert empty.rows == 0
    if "jsonl" not in suffix:
        assert READ[suffix](out).columns == ["pctr", "pcvr", "pctcvr"]


def test_other_names_are_refused(mixed_bundle: Bundle, mixed_raw: Raw, tmp_path: Path) -> None:
    raw = mixed_raw[1]
    raw.write_parquet(tmp_path / "log.parquet")
    for name in ("scores", "scores.xlsx", "scores.parquet.gz", "scores.csv.zst", "scores.txt"):
        done = run("score", mixed_bundle.folder, tmp_path / "log.parquet", "--out", tmp_path / name)
        assert done.code == 2 and len(done.err.splitlines()) == 1
        assert "scores are written as .parquet, .pq, .arrow, .feather, .csv, .tsv" in done.err
        assert not (tmp_path / name).exists()
    lists = next(name for name, kind in raw.schema.items() if kind.is_nested())
    with pytest.raises(InputError, match=f"column '{lists}' holds .* which CSV cannot"):
        score(mixed_bundle, FrameSource(raw), tmp_path / "scores.csv", keep=[lists])
    assert [p.name for p in tmp_path.iterdir()] == ["log.parquet"]
    score(mixed_bundle, FrameSource(raw), tmp_path / "scores.jsonl", keep=[lists])
    assert pl.read_ndjson(tmp_path / "scores.jsonl")[lists].to_list() == raw[lists].to_list()


def test_logs_of_any_layout_score_the_same(
    mixed_bundle: Bundle, mixed_raw: Raw, tmp_path: Path
) -> None:
    raw = mixed_raw[1]
    lists = pl.col("history", "weight").cast(pl.List(pl.String)).list.join("|")
    text = raw.with_columns(lists)
    text.write_csv(tmp_path / "plain.csv")
    text.write_csv(tmp_path / "tabs.txt", separator="\t")
    (tmp_path / "wide.csv").write_bytes(text.write_csv(separator=";").encode("utf-16"))
    text.write_csv(tmp_path / "bare.csv", include_header=False)
    floats = pl.col(name for name, kind in raw.schema.items() if kind.is_float())
    comma = text.with_columns(floats.cast(pl.String).str.replace(".", ",", literal=True))
    comma = comma.with_columns(
        pl.col("shop", "tags", "weight").str.replace_all(".", ",", literal=True)
    )
    comma.write_csv(tmp_path / "comma.csv", separator=";")
    comma.write_csv(tmp_path / "quoted.csv")
    raw.write_ndjson(tmp_path / "log.jsonl")
    raw.write_ipc(tmp_path / "log.feather")
    expected = mixed_bundle.score(raw)
    header = f"header={','.join(raw.columns)}"
    for name, options in {
        "plain.csv": [],
        "tabs.txt": [],
        "wide.csv": [],
        "bare.csv": ["--read", header],
        "comma.csv": [],
        "quoted.csv": ["--read", "decimal=,"],
        "log.jsonl": [],
        "log.feather": [],
    }.items():
        out = tmp_path / "scores.parquet"
        succeed("score", mixed_bundle.folder, tmp_path / name, "--out", out, *options)
        found = pl.read_parquet(out)
        assert found.height == raw.height
        assert max((found[c] - expected[c]).abs().max() for c in found.columns) < 1e-6, name
    # Decimals in text of a file that is none, and a setting that it has no use for.
    written = comma.with_columns(pl.col(n).cast(k) for n, k in raw.schema.items() if k.is_integer())
    written.write_parquet(tmp_path / "comma.parquet")
    place = (mixed_bundle.folder, tmp_path / "comma.parquet", "--out", out)
    succeed("score", *place, "--read", "decimal=,")
    found = pl.read_parquet(out)
    assert max((found[c] - expected[c]).abs().max() for c in found.columns) < 1e-6
    done = run("score", *place, "--read", "separator=;")
    assert done.code == 2 and "is no text with a separator of its own" in done.err
    done = run("score", mixed_bundle.folder, tmp_path / "bare.csv", "--out", out)
    assert done.code == 2 and "has no header" in done.err and "--read header=a,b" in done.err
