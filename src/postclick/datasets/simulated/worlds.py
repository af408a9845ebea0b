"""The worlds that `simulate` draws from: what moves clicks and conversions, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pydantic import ValidationError

from postclick.data.schema import Exposure, LogSchema, first_message
from postclick.datasets.base import Options
from postclick.datasets.simulated.layouts.aliccp_like import ALICCP_LIKE
from postclick.datasets.simulated.layouts.aliexpress_like import ALIEXPRESS_LIKE
from postclick.datasets.simulated.layouts.deep import DEEP
from postclick.datasets.simulated.layouts.drifting import DRIFTING
from postclick.datasets.simulated.layouts.interactions import INTERACTIONS
from postclick.datasets.simulated.layouts.shop import SHOP
from postclick.datasets.simulated.options import (
    HiddenOptions,
    NoOptions,
    PositionOptions,
    SelectionOptions,
)
from postclick.datasets.simulated.population import Layout
from postclick.errors import InputError
from postclick.suggest import meant


@dataclass(frozen=True)
class World:
    """How clicks and conversions hang together, and what a log of it is like by default.

    Attributes:
        name, summary: as given to `--world`, and what it is for.
        dependence: default correlation of the click and the conversion signal.
        logit_sd: standard deviation of either logit's signal.
        hidden: a cause that no feature shows drives both. It is what the dependence comes from,
            if `s` is None.
        hidden_distribution: of that cause, a name from `causes.CAUSES`.
        s, hidden_click_sd: what one standard deviation of that cause adds to the conversion and to
            the click logit, beside what features do.
        position_sd: standard deviation of what the position adds to the click logit.
        exposure: the position is the schema's exposure and no feature.
        shift: how far the test split's users and items are from the training split's: the
            standard deviation of the log-odds between the two, 0 if both are drawn alike.
        ctr, cvr, rows, users, items: default rates and sizes.
        bytes_per_row: memory that drawing and writing a log takes at most, in bytes an
            impression, for logs of a million impressions and more.
        layout: its columns.
        options: which of these can be set, see `configured`.
        decomposed: logs say how much of the variance of their logits is additive.
    """

    name: str
    summary: str
    dependence: float
    logit_sd: float = 1.3
    hidden: bool = False
    hidden_distribution: str = "normal"
    s: float | None = None
    hidden_click_sd: float = 1.0
    position_sd: float = 0.4
    exposure: bool = False
    shift: float = 0.0
    ctr: float = 0.05
    cvr: float = 0.03
    rows: int = 400_000
    users: int = 20_000
    items: int = 4_000
    bytes_per_row: int = 350
    layout: Layout = SHOP
    options: type[Options] = PositionOptions
    decomposed: bool = False

    @property
    def schema(self) -> LogSchema:
        """What the columns of its logs mean."""
        schema, position = self.layout.schema, self.layout.position
        if not self.exposure or position is None:
            return schema
        others = tuple(f for f in schema.categorical if f.name != position)
        return schema.model_copy(
            update={"categorical": others, "exposure": Exposure(column=position)}
        )

    def configured(self, options: Mapping[str, Any]) -> Self:
        """The world with some of its options set.

        Raises:
            InputError: it has no such option, or not with such a value.

        >>> get_world("hidden").configured({"position_sd": 1.5}).position_sd
        1.5
        """
        try:
            given = self.options.model_validate(dict(options))
        except ValidationError as error:
            names = ", ".join(self.options.model_fields) or "none"
            raise InputError(
                f"world {self.name}: option {first_message(error, self.options)}; "
                f"its options are {names}"
            ) from None
        return replace(self, **given.model_dump(exclude_none=True))


WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        World(
            "independent", "uncorrelated: who clicks is no likelier to buy than who does not", 0.0
        ),
        World("confounded", "who clicks, buys: features drive both the same way", 0.75),
        World("adverse", "the lower the CTR, the higher the CVR", -0.75),
        World(
            "hidden",
            "an unobserved confounder drives both; features drive them independently",
            0.4,
            # Wider by 1 / sqrt(1 - 0.4), so that the features weigh what they weigh elsewhere.
            logit_sd=1.68,
            hidden=True,
            options=HiddenOptions,
        ),
        World(
            "position",
            "the position decides most clicks and no conversion; features drive them independently",
            0.0,
            position_sd=1.5,
        ),
        World(
            "sparse",
            "confounded at the rates of the papers' logs: 4 % clicks, 0.5 % of them convert",
            0.75,
            ctr=0.04,
            cvr=0.005,
            rows=2_000_000,
        ),
        World(
            "shift",
            "confounded, and the test split shows other users and items than the training split",
            0.75,
            shift=0.5,
        ),
        World(
            "aliccp_like",
            "confounded, with the fields, weighted lists and rates of Ali-CCP",
            0.75,
            ctr=0.0389,
            cvr=0.0055,
            rows=1_000_000,
            bytes_per_row=1_250,
            layout=ALICCP_LIKE,
        ),
        World(
            "aliexpress_like",
            "confounded, with the columns and rates of AliExpress NL: 63 numbers and no ids",
            0.75,
            ctr=0.0206,
            cvr=0.0356,
            rows=1_000_000,
            bytes_per_row=650,
            layout=ALIEXPRESS_LIKE,
            options=NoOptions,
        ),
        World(
            "interactions",
            "confounded, and most of either logit lies in pairs and triples of fields",
            0.75,
            layout=INTERACTIONS,
            decomposed=True,
        ),
        World(
            "deep",
            "confounded, and a random network over latent factors of ids gives both logits",
            0.75,
            users=500,
            items=200,
            layout=DEEP,
            decomposed=True,
        ),
        World(
            "drifting",
            "confounded, over four weeks: users and items come and go, rates move, the last week "
            "is the test",
            0.75,
            layout=DRIFTING,
            decomposed=True,
        ),
        World(
            "selection_iv",
            "an unseen cause drives both, and a recorded exposure, dealt at random, clicks alone",
            0.0,
            hidden=True,
            s=1.0,
            position_sd=1.0,
            exposure=True,
            options=SelectionOptions,
            decomposed=True,
        ),
    )
}


def get_world(name: str) -> World:
    """The world called `name`.

    Raises:
        InputError: there is none of that name.

    >>> get_world("adverse").dependence
    -0.75
    """
    try:
        return WORLDS[name]
    except KeyError:
        raise InputError(
            f"no world is called {name!r}{meant(name, WORLDS)}: choose one of {', '.join(WORLDS)}"
        ) from None
