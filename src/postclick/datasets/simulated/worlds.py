"""The worlds that `simulate` draws from: what moves clicks and conversions, by name."""

from dataclasses import dataclass

from postclick.datasets.simulated.aliccp_like import ALICCP_LIKE
from postclick.datasets.simulated.aliexpress_like import ALIEXPRESS_LIKE
from postclick.datasets.simulated.population import Layout
from postclick.datasets.simulated.shop import SHOP
from postclick.errors import InputError
from postclick.suggest import meant


@dataclass(frozen=True)
class World:
    """How clicks and conversions hang together, and what a log of it is like by default.

    Attributes:
        name, summary: as given to `--world`, and what it is for.
        dependence: default correlation of the click and the conversion signal.
        logit_sd: standard deviation of either logit's signal.
        hidden: the dependence comes from a confounder that no feature shows.
        position_sd: standard deviation of what the position adds to the click logit.
        shift: how far the test split's users and items are from the training split's: the
            standard deviation of the log-odds between the two, 0 if both are drawn alike.
        ctr, cvr, rows: default rates and length.
        bytes_per_row: memory that drawing and writing a log takes at most, in bytes an
            impression, for logs of a million impressions and more.
        layout: its columns.
    """

    name: str
    summary: str
    dependence: float
    logit_sd: float = 1.3
    hidden: bool = False
    position_sd: float = 0.4
    shift: float = 0.0
    ctr: float = 0.05
    cvr: float = 0.03
    rows: int = 400_000
    bytes_per_row: int = 350
    layout: Layout = SHOP


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
