"""Logs with known truth, drawn in memory from one of `WORLDS`."""

from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from postclick.data.schema import LogSchema, first_message
from postclick.datasets.simulated.impressions import Impressions, draw_impressions
from postclick.datasets.simulated.oracle import drawn_pcoc, expected_cvr, oracle_figures
from postclick.datasets.simulated.worlds import get_world
from postclick.errors import InputError


@dataclass(frozen=True)
class SimulatedLog:
    """A simulated log, split, with what only its maker knows.

    Attributes:
        train, test: impressions, drawn alike unless the world shifts between them.
        schema: what the columns mean.
        oracle: figures of the test impressions that no method can expect to beat, and the
            calibration of the true CVR on the labels drawn; see
            `postclick.datasets.simulated.oracle`. None where a figure is undefined.
        settings: what it was drawn with, defaults filled in.
    """

    train: pl.DataFrame
    test: pl.DataFrame
    schema: LogSchema
    oracle: dict[str, float | None]
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
    rows: int | None = None,
    seed: int = 0,
    *,
    ctr: float | None = None,
    cvr: float | None = None,
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

    In `shift` the test split's users and items come from other probabilities, so that its rates
    differ, while a, b, A and B are the same functions of the features in both splits.

    Args:
        world: a name from `WORLDS`.
        rows: impressions in train and test together, 1,000 to 100 million; the memory each takes
            is `bytes_per_row` of the world.
        seed: the same seed and settings give the same log; users and items do not depend on
            the world, only on its layout.
        ctr, cvr: 0.0001 to 0.99.
        dependence: correlation of the click and the conversion signal, position apart, -1 to 1.
        test_fraction: share of the rows that become the test split, 0.001 to 0.999.
        users, items: how many there are to draw from, 20 to 10 million.

    `rows`, `ctr`, `cvr` and `dependence` are by default the world's own.

    Raises:
        InputError: a setting is out of range.

    >>> log = simulate("confounded", rows=20_000, seed=1)
    >>> log.train.height, log.test.height
    (15000, 5000)
    >>> log.oracle["cvr_clicked"] > 2 * log.oracle["cvr_unclicked"]
    True
    """
    chosen = get_world(world)
    settings = _settings(
        world=world,
        rows=chosen.rows if rows is None else rows,
        seed=seed,
        ctr=chosen.ctr if ctr is None else ctr,
        cvr=chosen.cvr if cvr is None else cvr,
        dependence=chosen.dependence if dependence is None else dependence,
        test_fraction=test_fraction,
        users=users,
        items=items,
    )
    test_rows = round(settings.rows * settings.test_fraction)
    drawn = draw_impressions(
        chosen,
        settings.dependence,
        seed=settings.seed,
        rows=settings.rows,
        test_rows=test_rows,
        users=settings.users,
        items=settings.items,
        ctr=settings.ctr,
        cvr=settings.cvr,
    )
    cut = settings.rows - test_rows
    schema = chosen.layout.schema
    return SimulatedLog(
        drawn.frame[:cut],
        drawn.frame[cut:],
        schema,
        _oracle(drawn, schema, cut),
        settings.model_dump(),
    )


def _oracle(drawn: Impressions, schema: LogSchema, cut: int) -> dict[str, float | None]:
    test, truth = drawn.frame[cut:], schema.truth
    true_cvr = test[str(truth.cvr)].to_numpy()
    expected = oracle_figures(
        test[str(truth.ctr)].to_numpy(),
        true_cvr,
        drawn.click_score[cut:],
        expected_cvr(drawn.conversion_logit[cut:], drawn.hidden_sd),
    )
    click, potential = (
        test[str(c)].to_numpy() == 1 for c in (schema.click.column, truth.conversion)
    )
    return expected | drawn_pcoc(true_cvr, click, potential)
