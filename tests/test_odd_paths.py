"""Folders may have names that mean something to a shell or to a glob."""

import shutil
from pathlib import Path

import postclick
from helpers.runs import SMALL
from postclick.data.encode.encoder import Encoder
from postclick.data.prepared import PreparedLog

ODD = "log [a-z] * {x}?"


def test_everything_that_is_written_can_be_read_from_an_odd_folder(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    data = tmp_path / ODD / "data"
    shutil.copytree(small_log.folder, data)
    log = PreparedLog(data)
    Encoder.load(data, log.manifest)
    out = tmp_path / ODD / "results"
    settings = [*SMALL, "epochs=1"]
    found = postclick.compare(
        data, ["naive"], out, seeds=1, overrides=settings, workers=1, trials=0
    )
    run = postclick.Run(found.folder / "runs" / "naive" / "seed-0")
    assert run.predictions("test").height == log.split("test").rows
    assert postclick.report(out).exists()
