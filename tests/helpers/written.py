"""What a prepared log holds on disk."""

import hashlib
from pathlib import Path

import polars as pl

from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.manifest import VOCABULARIES
from postclick.data.prepared import PreparedLog


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def stored(log: PreparedLog, split: str) -> pl.DataFrame:
    """The rows of a split as they are on disk."""
    files = [log.folder / shard.file for shard in log.split(split).shards]
    return pl.concat([pl.read_parquet(f) for f in files])


def row_values(log: PreparedLog, split: str) -> list[str]:
    """The values of the `row` feature, which names each row, in stored order."""
    values = Vocabulary.load(log.folder / VOCABULARIES, "row").table["value"].to_list()
    return [values[k - 1] for k in stored(log, split)["row"].to_list()]
