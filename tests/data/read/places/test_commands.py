"""URLs, globs and tables on the command line."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.commands import run, succeed
from helpers.object_store import ObjectStore

SCHEMA = "click: click\nconversion: buy\ncategorical: [shop, dt]\n"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for day in ("2026-01-01", "2026-01-02"):
        click = rng.integers(0, 2, 600)
        log = {"click": click, "buy": click * rng.integers(0, 2, 600)}
        folder = tmp_path / "logs" / f"dt={day}"
        folder.mkdir(parents=True)
        frame = pl.DataFrame({**log, "shop": rng.choice(["a", "b", "c"], 600)})
        frame.write_parquet(folder / "part-0.parquet")
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    return tmp_path / "logs"


@pytest.mark.parametrize("place", ["glob", "url"])
def test_check_and_prepare(logs: Path, tmp_path: Path, place: str, store: ObjectStore) -> None:
    root = str(logs) if place == "glob" else store.put("commands", logs)
    pattern, schema = f"{root}/dt=*/part-*.parquet", str(tmp_path / "schema.yaml")
    assert "1,200" in succeed("check", "--propose", pattern)
    succeed("check", "--schema", schema, pattern, "--test", f"{root}/dt=2026-01-02")
    days = f"{root}/dt=2026-01-01", f"{root}/dt=2026-01-02"
    out = str(tmp_path / place)
    told = succeed(
        "prepare", "--schema", schema, "--train", days[0], "--test", days[1], "--out", out
    )
    assert "600 impressions" in told
    assert succeed(
        "prepare", "--schema", schema, "--train", days[0], "--test", days[1], "--out", out
    )


def test_what_is_not_there_is_one_line(logs: Path, store: ObjectStore) -> None:
    for name in (f"{logs}/dt=2027*/x", "s3://lake/none.csv", "foo://x/y"):
        done = run("check", "--propose", name)
        assert done.code == 2 and len(done.err.strip().splitlines()) == 1, done.err
        assert name in done.err
