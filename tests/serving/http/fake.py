"""A bundle whose scores are arithmetic, and which is as slow or as damaged as a test needs it."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from postclick.calibration.probabilities import Probabilities
from postclick.data.lookup.raw_rows import RawRows
from postclick.errors import InputError

FEATURES = ("age", "item", "price", "history")


@dataclass
class FakeBundle:
    """pCTR is `level` in every row, pCVR is price / 100.

    `delay` seconds go by in each model call with a price, `open_delay` while it is opened; `calls`
    lists how many rows were scored, and whether they were the candidates of a user.
    """

    version: str = "v1"
    method: str = "fake"
    level: float = 0.5
    delay: float = 0.0
    open_delay: float = 0.0
    features: tuple[str, ...] = FEATURES
    vector_sizes: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, threads: int | None = None) -> "FakeBundle":
        assert threads is not None and threads >= 1
        try:
            settings = json.loads((path / "fake.json").read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"bundle {path} is damaged: {error}") from None
        found = cls(**{**settings, "features": tuple(settings.get("features", FEATURES))})
        time.sleep(found.open_delay)
        return found

    def warm(self) -> None:
        self.calls.append(("warm", 0))

    def predict(self, rows: RawRows, user: RawRows | None = None) -> Probabilities:
        self.calls.append(("rows" if user is None else "candidates", rows.height))
        frame = rows.whole()
        if user is not None:
            assert user.height == 1
            frame = frame.hstack([c.new_from_index(0, rows.height) for c in user.whole()])
        missing = [name for name in self.features if name not in frame.columns]
        if missing:
            raise InputError(f"column {missing[0]!r} is missing: send it")
        price = frame["price"]
        if not (price.dtype.is_numeric() or price.dtype == pl.Null):
            raise InputError(f"column 'price' holds {price.dtype}, not numbers: send numbers")
        # Warming scores blanks, and is as quick as it is.
        if not price.is_null().all():
            time.sleep(self.delay)
        pcvr = (price.cast(pl.Float64).fill_null(0.0) / 100).clip(0, 1).cast(pl.Float32)
        pctr = pl.repeat(self.level, frame.height, eager=True, dtype=pl.Float32)
        return Probabilities(*(column.to_numpy() for column in (pctr, pcvr, pctr * pcvr)))


def write_fake(folder: Path, **settings: Any) -> Path:
    """A bundle folder for `FakeBundle.open`."""
    folder.mkdir()
    (folder / "fake.json").write_text(json.dumps(settings))
    return folder
