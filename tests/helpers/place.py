"""A folder in which a command can be given something wrong."""

from pathlib import Path

import polars as pl
import yaml

from helpers.commands import SETS


class Place:
    """A folder with a log of one's own, prepared data and a run; a fresh copy for each case."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def schema(self, **changes: object) -> Path:
        """The schema with changes, as a new file."""
        data = yaml.safe_load((self / "schema.yaml").read_text())
        path = self / "changed.yaml"
        path.write_text(yaml.safe_dump({**data, **changes}))
        return path

    def log(self, *columns: pl.Expr) -> Path:
        """The training log with changed columns, as a new file."""
        path = self / "changed.csv"
        pl.read_csv(self / "train.csv").with_columns(*columns).write_csv(path)
        return path

    def text(self, name: str, text: str) -> Path:
        (self / name).write_text(text)
        return self / name

    def prepare(self, schema: Path | None = None, train: Path | None = None) -> list[object]:
        schema, train = schema or self / "schema.yaml", train or self / "train.csv"
        return ["prepare", "--schema", schema, "--train", train, "--out", self / "new"]

    def train(self, *more: object, method: str = "naive") -> list[object]:
        start = ["train", self / "data", "--method", method, "--out", self / "new", *SETS]
        return [*start, *more]
