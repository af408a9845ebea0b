"""What the exposure test finds: PCOC by exposure value, the test, and what it can see."""

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["too_high", "too_low", "uneven", "none", "untested"]
Ordering = Literal["ctr", "rank"]


@dataclass(frozen=True)
class ExposureValue:
    """The clicked rows with one exposure value, or of one range of values, judged.

    Attributes:
        value: the value, a range of numbers, `(others)` or `(missing)`.
        rows, conversions: counts of clicked rows, whatever these weigh.
        ctr: the click rate of all impressions with this value, None where it was not given.
        predicted, observed: mean pCVR and mean conversion of the rows.
        pcoc: sum of pCVR / sum of conversions; None without a conversion.
        low, high: ends of its interval, None where there is none.

    >>> ExposureValue("1", 100, 8, 0.2, 0.1, 0.08, 1.25, 0.7, 2.2).as_dict()["pcoc"]
    1.25
    """

    value: str
    rows: int
    conversions: int
    ctr: float | None
    predicted: float
    observed: float
    pcoc: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        return dict(vars(self))


@dataclass(frozen=True)
class Trend:
    """The directional test, one degree of freedom.

    Attributes:
        ordering: `ctr` if the values are ordered by their click rates, else `rank`.
        z, p: the statistic and its two-sided p; z is positive where conversions exceed pCVR at
            values that few click, as under a cause that drives clicks and conversions alike.
        strength: by `ctr` alone, the estimated strength of the unseen cause: 0 is none, 1 that of
            the simulated world `hidden`, below 0 one that drives the two in opposite directions
            (as strong as there, it is about -1.4: shifts down and up are not of one size).
        standard_error, low, high: of `strength`, with its interval.

    >>> Trend("rank", 2.0, 0.0455, None, None, None, None).as_dict()["z"]
    2.0
    """

    ordering: Ordering
    z: float
    p: float
    strength: float | None
    standard_error: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        return dict(vars(self))


@dataclass(frozen=True)
class Omnibus:
    """Whether the residuals differ between exposure values in any way: chi-square, df, p.

    Values with few conversions are taken together with their neighbours, which leaves fewer df.

    >>> Omnibus(9.0, 9, 0.437).as_dict()["df"]
    9
    """

    chi_square: float
    df: int
    p: float

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        return dict(vars(self))


@dataclass(frozen=True)
class ExposureTest:
    """PCOC of pCVR by exposure value on clicked rows, and the test for an unseen cause.

    Attributes:
        name: of the exposure, such as `position`.
        kind: `numeric` (values rising) or `categorical` (most frequent first).
        level: of the intervals; the test is at 1 - level.
        rows, conversions, units: what was judged: clicked rows, conversions among them, units.
        pcoc: over all rows; None without a conversion.
        values: one entry for each value or range.
        trend: None where values have no order or nothing can be tested (see `undefined`).
        omnibus: None where nothing can be tested.
        verdict: `too_high` (pCVR is too high where nobody clicked), `too_low`, `uneven` (wrong by
            exposure, but not in the order of clicks), `none` (no sign of an unseen cause) or
            `untested`.
        power: chance that the trend is found at this level if the cause is as strong as in the
            simulated world `hidden`; None without click rates.
        detectable: the strength that is found with 80 % chance; None without click rates.
        undefined: why there is no test, or no trend; None if there is.
        assumption: what has to hold for the verdict, in words.
        sentence: what was found, in words.

    >>> found = ExposureTest("position", "numeric", 0.95, 0, 0, 0, None, (), None, None,
    ...                      "untested", None, None, "no clicked row")
    >>> found.as_dict()["verdict"], found.p
    ('untested', None)
    """

    name: str
    kind: Literal["numeric", "categorical"]
    level: float
    rows: int
    conversions: int
    units: int
    pcoc: float | None
    values: tuple[ExposureValue, ...]
    trend: Trend | None
    omnibus: Omnibus | None
    verdict: Verdict
    power: float | None
    detectable: float | None
    undefined: str | None
    assumption: str = ""
    sentence: str = ""

    @property
    def p(self) -> float | None:
        """Of the trend where there is one, else of the omnibus test."""
        test = self.trend or self.omnibus
        return None if test is None else test.p

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        return {
            **vars(self),
            "values": [one.as_dict() for one in self.values],
            "trend": None if self.trend is None else self.trend.as_dict(),
            "omnibus": None if self.omnibus is None else self.omnibus.as_dict(),
            "p": self.p,
        }
