"""Logs with known truth, drawn in memory from one of `WORLDS`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from postclick.data.schema import LogSchema, first_message
from postclick.datasets.simulated.impressions import Impressions, draw_impressions
from postclick.datasets.simulated.length import LEAST_ROWS, MOST_ROWS, rows_for, split_rows
from postclick.datasets.simulated.oracle import drawn_pcoc, expected_cvr, oracle_figures
from postclick.datasets.simulated.worlds import World, get_world
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
        settings: what it was drawn with, defaults filled in, and the options of the world that
            were given.
        variance: of a world that says so, the shares of the variance of the `click` and the
            `conversion` logit that are additive in `users`, `items` and `context`, and those of
            the `position`, of the `hidden` cause, and of `interactions`: of what no sum of
            functions of a user, an item and a context has, whatever their attributes.
    """

    train: pl.DataFrame
    test: pl.DataFrame
    schema: LogSchema
    oracle: dict[str, float | None]
    settings: dict[str, str | int | float]
    variance: dict[str, dict[str, float]] | None = None


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    world: str
    rows: int = Field(ge=LEAST_ROWS, le=MOST_ROWS)
    seed: int = Field(ge=0)
    ctr: float = Field(ge=1e-4, le=0.99)
    cvr: float = Field(ge=1e-4, le=0.99)
    dependence: float = Field(ge=-1.0, le=1.0)
    test_fraction: float = Field(ge=0.001, le=0.999)
    users: int = Field(ge=20, le=10_000_000)
    items: int = Field(ge=20, le=10_000_000)
    conversions: int | None = Field(default=None, ge=1)


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
    users: int | None = None,
    items: int | None = None,
    conversions: int | None = None,
    options: Mapping[str, Any] | None = None,
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

    In `selection_iv` the signals stay as they are, and the cause acts beside them::

        click logit      = a + sd * A                            + position + H
        conversion logit = b + sd * (d * A + sqrt(1 - d^2) * B)             + s * H

    a and b make the mean click probability `ctr` and the expected CVR of the clicked `cvr`.
    Click and potential conversion are then independent draws, and conversion = click x potential
    conversion. `true_ctr` and `true_cvr` are the probabilities that were drawn from:
    P(click | features) and P(conversion | do(click), features); where a cause is hidden both are
    given the features **and H**, per row, so that no model of the features can reach them. What
    the features alone tell of an impression is the mean over H as it is among all impressions,
    E sigmoid(conversion logit): `postclick.datasets.simulated.oracle.expected_cvr`. Its mean over
    all impressions is that of `true_cvr`, so that the bias of a model of the features over the
    entire space is 0 if it has learnt it, and its NLL there is the least possible.

    In `shift` the test split's users and items come from other probabilities, so that its rates
    differ, while a, b, A and B are the same functions of the features in both splits. In
    `drifting` rows are in the order of time and the test split has the last days.

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
        conversions: in place of `rows`: as few rows as give the training split so many conversions
            in expectation at `ctr` and `cvr`. Those are rates of the whole log: where the test
            split is drawn otherwise (`shift`, `drifting`), the training split has more or fewer.
        options: what else can be set of this world, such as `{"position_sd": 1.5}`; see
            `postclick.datasets.simulated.options`.

    `rows`, `ctr`, `cvr`, `dependence`, `users` and `items` are by default the world's own.

    Raises:
        InputError: a setting is out of range, there is no such option, or `rows` and
            `conversions` are both given.

    >>> log = simulate("confounded", rows=20_000, seed=1)
    >>> log.train.height, log.test.height
    (15000, 5000)
    >>> log.oracle["cvr_clicked"] > 2 * log.oracle["cvr_unclicked"]
    True
    """
    chosen = get_world(world).configured(options or {})
    if rows is not None and conversions is not None:
        raise InputError("simulate: rows and conversions both say how long: leave one out")
    settings = _settings(
        world=world,
        rows=chosen.rows if rows is None else rows,
        seed=seed,
        ctr=chosen.ctr if ctr is None else ctr,
        cvr=chosen.cvr if cvr is None else cvr,
        dependence=chosen.dependence if dependence is None else dependence,
        test_fraction=test_fraction,
        users=chosen.users if users is None else users,
        items=chosen.items if items is None else items,
        conversions=conversions,
    )
    if settings.conversions is not None:
        long = rows_for(settings.conversions, settings.ctr, settings.cvr, settings.test_fraction)
        settings = _settings(**{**settings.model_dump(), "rows": long})
    drawn = _draw(chosen, settings)
    cut, _ = split_rows(settings.rows, settings.test_fraction)
    return SimulatedLog(
        drawn.frame[:cut],
        drawn.frame[cut:],
        chosen.schema,
        _oracle(drawn, chosen, cut),
        settings.model_dump(exclude_none=True)
        | {name: getattr(chosen, name) for name in options or {}},
        drawn.variance,
    )


def _draw(world: World, settings: _Settings) -> Impressions:
    return draw_impressions(
        world,
        settings.dependence,
        seed=settings.seed,
        rows=settings.rows,
        test_rows=split_rows(settings.rows, settings.test_fraction)[1],
        users=settings.users,
        items=settings.items,
        ctr=settings.ctr,
        cvr=settings.cvr,
    )


def _oracle(drawn: Impressions, world: World, cut: int) -> dict[str, float | None]:
    test, schema = drawn.frame[cut:], world.layout.schema
    truth = schema.truth
    true_cvr = test[str(truth.cvr)].to_numpy()
    expected = oracle_figures(
        test[str(truth.ctr)].to_numpy(),
        true_cvr,
        drawn.click_score[cut:],
        expected_cvr(drawn.conversion_logit[cut:], drawn.hidden_effect, world.hidden_distribution),
    )
    click, potential = (
        test[str(c)].to_numpy() == 1 for c in (schema.click.column, truth.conversion)
    )
    return expected | drawn_pcoc(true_cvr, click, potential)
