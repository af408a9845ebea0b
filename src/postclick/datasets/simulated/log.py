"""Logs with known truth, drawn from one of `WORLDS`: in memory or as files."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from postclick.data.schema import Categorical, LogSchema, Numeric, Truth, first_message
from postclick.datasets.simulated.impressions import draw_impressions
from postclick.datasets.simulated.oracle import oracle_figures
from postclick.datasets.simulated.worlds import get_world
from postclick.errors import InputError

SCHEMA = LogSchema(
    click="click",
    conversion="conversion",
    categorical=(
        *(Categorical(name=name, min_count=5) for name in ("user", "item", "shop")),
        *(
            Categorical(name=name)
            for name in ("age_band", "gender", "city", "device", "category", "position")
        ),
    ),
    numeric=(
        Numeric(name="activity", transform="log1p"),
        Numeric(name="price", transform="log1p"),
        Numeric(name="rating"),
    ),
    truth=Truth(ctr="true_ctr", cvr="true_cvr", conversion="potential_conversion"),
)


@dataclass(frozen=True)
class SimulatedLog:
    """A simulated log, split, with what only its maker knows.

    Attributes:
        train, test: impressions, drawn alike.
        schema: what the columns mean.
        oracle: figures of the test impressions that no method can expect to beat; see
            `postclick.datasets.simulated.oracle.oracle_figures`.
        settings: what it was drawn with, defaults filled in.
    """

    train: pl.DataFrame
    test: pl.DataFrame
    schema: LogSchema
    oracle: dict[str, float]
    settings: dict[str, str | int | float]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    world: str
    rows: int = Field(ge=1_000, le=100_000_000)
    seed: int = Field(ge=0)
    ctr: float = Field(ge=1e-4, le=0.99)
    cvr: float = Field(ge=1e-4, le=0.99)
    dependence: float = Field(ge=-1.0, le=1.0)
    test_fraction: float = Field(ge=0.001, le=0.999)
    users: int = Field(ge=20, le=10_000_000)
    items: int = Field(ge=20, le=10_000_000)


def _settings(**values: Any) -> _Settings:
    try:
        return _Settings.model_validate(values)
    except ValidationError as error:
        raise InputError(f"simulate: {first_message(error)}") from None


def simulate(
    world: str = "confounded",
    rows: int = 400_000,
    seed: int = 0,
    *,
    ctr: float = 0.05,
    cvr: float = 0.03,
    dependence: float | None = None,
    test_fraction: float = 0.25,
    users: int = 20_000,
    items: int = 4_000,
) -> SimulatedLog:
    """Draw a log with known truth from a world of `WORLDS`.

    Users and items are drawn by Zipf's law, positions at random. With A and B the click and
    conversion signals of the features (attributes, ids and the dot product of latent factors),
    uncorrelated and of unit variance over the log, and d the dependence::

        click logit      = a + sd * A                        + position
        conversion logit = b + sd * (d * A + sqrt(1 - d^2) * B)

    and in the world `hidden`, where H is a normal confounder per impression that no column shows::

        click logit      = a + sd * (sqrt(1 - |d|) * A + sqrt(|d|) * H) + position
        conversion logit = b + sd * (sqrt(1 - |d|) * B + sign(d) * sqrt(|d|) * H)

    a and b make the mean click probability `ctr` and the expected CVR of the clicked `cvr`.
    Click and potential conversion are then independent draws, and conversion = click x potential
    conversion. `true_ctr` and `true_cvr` are the probabilities that were drawn from:
    P(click | features) and P(conversion | do(click), features); in `hidden` both are given the
    features **and H**, per row, so that no model of the features can reach them.

    Args:
        world: a name from `WORLDS`.
        rows: impressions in train and test together, 1,000 to 100 million; about 250 bytes of
            memory each.
        seed: the same seed and settings give the same log; users and items do not depend on
            the world.
        ctr, cvr: 0.0001 to 0.99.
        dependence: correlation of the click and the conversion signal, position apart, -1 to 1;
            by default the world's own.
        test_fraction: share of the rows that become the test split, 0.001 to 0.999.
        users, items: how many there are to draw from, 20 to 10 million.

    Raises:
        InputError: a setting is out of range.

    >>> log = simulate("confounded", rows=20_000, seed=1)
    >>> log.train.height, log.test.height
    (15000, 5000)
    >>> log.oracle["cvr_clicked"] > 2 * log.oracle["cvr_unclicked"]
    True
    """
    settings = _settings(
        world=world,
        rows=rows,
        seed=seed,
        ctr=ctr,
        cvr=cvr,
        dependence=get_world(world).dependence if dependence is None else dependence,
        test_fraction=test_fraction,
        users=users,
        items=items,
    )
    drawn = draw_impressions(
        get_world(world),
        settings.dependence,
        seed=settings.seed,
        rows=settings.rows,
        users=settings.users,
        items=settings.items,
        ctr=settings.ctr,
        cvr=settings.cvr,
    )
    cut = settings.rows - round(settings.rows * settings.test_fraction)
    test = drawn.frame[cut:]
    oracle = oracle_figures(
        test["true_ctr"].to_numpy(),
        test["true_cvr"].to_numpy(),
        drawn.click_score[cut:],
        drawn.conversion_score[cut:],
    )
    return SimulatedLog(drawn.frame[:cut], test, SCHEMA, oracle, settings.model_dump())


class OtherSettings(TypedDict, total=False):
    """The settings of `simulate` that have to be named."""

    ctr: float
    cvr: float
    dependence: float | None
    test_fraction: float
    users: int
    items: int


def write_simulated(
    out_dir: str | Path,
    world: str = "confounded",
    rows: int = 400_000,
    seed: int = 0,
    **others: Unpack[OtherSettings],
) -> SimulatedLog:
    """Simulate a log, settings as in `simulate`, and write it as a folder, whole or not at all.

    The folder holds `train.parquet`, `test.parquet`, `schema.yaml` and `world.json` (settings and
    oracle figures).

    Raises:
        InputError: a setting is out of range, or `out_dir` is a file, is a folder that is not
            empty, or cannot be written.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = write_simulated(Path(folder) / "log", rows=2_000)
    ...     sorted(path.name for path in (Path(folder) / "log").iterdir())
    ['schema.yaml', 'test.parquet', 'train.parquet', 'world.json']
    """
    out = Path(out_dir)
    try:
        if out.is_dir() and any(out.iterdir()):
            raise InputError(f"{out} is not empty: name a new folder, or remove it first")
        if out.exists() and not out.is_dir():
            raise InputError(f"{out} is a file: name a new folder")
        log = simulate(world, rows, seed, **others)
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            # One level down: the scratch folder itself can be entered by its owner alone.
            folder = Path(scratch) / "log"
            folder.mkdir()
            _write(folder, log)
            os.replace(folder, out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error}") from None
    return log


def _write(folder: Path, log: SimulatedLog) -> None:
    log.train.write_parquet(folder / "train.parquet")
    log.test.write_parquet(folder / "test.parquet")
    (folder / "schema.yaml").write_text(log.schema.to_yaml(), encoding="utf-8")
    world = {"settings": log.settings, "oracle": log.oracle}
    (folder / "world.json").write_text(json.dumps(world, indent=2) + "\n", encoding="utf-8")
