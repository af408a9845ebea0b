"""The panels of a figure: series of numbers, drawn as lines or bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from postclick.papers.results import Results


@dataclass(frozen=True)
class Series:
    """One curve or group of bars: mean over seeds and standard deviation at each x.

    >>> Series.over_seeds("pCVR", (1, 2), [[0.25, 0.5], [0.75, None]])
    Series(name='pCVR', x=(1, 2), y=(0.5, 0.5), sd=(0.3535533905932738, None))
    """

    name: str
    x: tuple[float | str, ...]
    y: tuple[float | None, ...]
    sd: tuple[float | None, ...]

    @classmethod
    def over_seeds(
        cls, name: str, x: Sequence[float | str], by_seed: Sequence[Sequence[float | None]]
    ) -> "Series":
        """From one sequence for each seed; a seed may be shorter or have no value at an x."""
        means: list[float | None] = []
        spreads: list[float | None] = []
        for k in range(len(x)):
            found = [v for seed in by_seed for v in seed[k : k + 1] if v is not None]
            means.append(float(np.mean(found)) if found else None)
            spreads.append(float(np.std(found, ddof=1)) if len(found) > 1 else None)
        return cls(name, tuple(x), tuple(means), tuple(spreads))


@dataclass(frozen=True)
class Panel:
    """Part of a figure.

    Attributes:
        from_zero: whether the y axis starts at 0.
        tabled: its numbers stand in the experiment's table as well.
    """

    title: str
    x: str
    y: str
    kind: Literal["line", "bar"]
    series: tuple[Series, ...]
    from_zero: bool = True
    tabled: bool = False


def column_panel(
    title: str,
    axes: tuple[str, str],
    kind: Literal["line", "bar"],
    results: Results,
    column: str,
    x: Mapping[str, float] | Mapping[str, str],
) -> tuple[Panel, ...]:
    """A panel of one column, each arm at its x, in the order of `x`; none if nothing is measured.

    >>> results = Results({"auc": {"evi": (0.5, 0.75), "esmm": (0.5, 0.5)}})
    >>> made = column_panel("", ("", "AUC"), "bar", results, "auc", {"evi": "EVI", "ukd": "UKD"})
    >>> made[0].series[0].x, made[0].series[0].y
    (('EVI',), (0.625,))
    """
    known = {arm: at for arm, at in x.items() if results.by_seed(column, arm) is not None}
    if not known:
        return ()
    series = Series(
        "mean over seeds",
        tuple(known.values()),
        tuple(results.mean(column, arm) for arm in known),
        tuple(results.sd(column, arm) for arm in known),
    )
    return (Panel(title, *axes, kind, (series,), from_zero=kind == "bar", tabled=True),)
