"""What an experiment of a paper is: arms, columns, claims and protocol, as data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from postclick.experiments.comparison.plan import Arm
from postclick.papers.claims import Claim
from postclick.papers.judged import JudgedRun, Measurement
from postclick.papers.panels import Panel
from postclick.papers.results import Results, Scale

Source = Literal["paper", "authors' code", "library default"]
Measure = Callable[[JudgedRun], Measurement]


@dataclass(frozen=True)
class Setting:
    """One setting of a paper's protocol, as `--set` takes it, and who states it.

    >>> Setting("training.lr", "0.001", "paper").override
    'training.lr=0.001'
    """

    key: str
    value: str
    source: Source

    @property
    def override(self) -> str:
        return f"{self.key}={self.value}"


@dataclass(frozen=True)
class Paper:
    """A paper and what it says of how its experiments were run.

    Attributes:
        name: as in reported_numbers.csv.
        reference: authors, title, venue, year.
        backbone: for every arm.
        settings: what is stated; everything else is a default of this library.
        notes: what a reader of any of its tables should know.
    """

    name: str
    reference: str
    backbone: str
    settings: tuple[Setting, ...]
    notes: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names its folder of runs, which its experiments share."""
        return self.name.lower()


@dataclass(frozen=True)
class Entry:
    """One row of a paper's table: its title there, and the arm that measures it.

    `marks` fill the further columns that the paper's table has (`Experiment.marks`).
    """

    title: str
    arm: Arm
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """Something measured in every run.

    Attributes:
        key: names it in claims and in JSON.
        title: as in the paper.
        measure: from one run to one number.
        scale: which of two values is better.
        reported: the metric's name in reported_numbers.csv, if the paper gives numbers.
        warning: what makes it misleading, if anything.
    """

    key: str
    title: str
    measure: Measure
    scale: Scale
    reported: str | None = None
    warning: str | None = None
    digits: int = 4


@dataclass(frozen=True)
class Improvement:
    """A row with the relative improvement of one arm over the best of others, in percent."""

    title: str
    arm: str
    baselines: tuple[str, ...]
    reported: str


@dataclass(frozen=True)
class Experiment:
    """A table or a figure of a paper.

    Attributes:
        name: as given to `postclick reproduce`.
        where: the table or figure, e.g. "Table 1".
        what: one line.
        head: title of the column with the methods' names.
        marks: titles of further columns of the paper's table (`Entry.marks`).
        claims: what the paper says of it, each a test on one column.
        panels: the curves or bars of a figure; none for a table.
    """

    name: str
    paper: Paper
    where: str
    what: str
    entries: tuple[Entry, ...]
    columns: tuple[Column, ...]
    claims: tuple[Claim, ...]
    head: str = "Method"
    marks: tuple[str, ...] = ()
    improvement: Improvement | None = None
    seeds: int = 5
    notes: tuple[str, ...] = ()
    panels: Callable[[Results, Sequence[JudgedRun]], tuple[Panel, ...]] | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(entry.arm for entry in self.entries)

    @property
    def titles(self) -> dict[str, str]:
        """From an arm's label to its title in the paper."""
        return {entry.arm.label: entry.title for entry in self.entries}

    def column(self, key: str) -> Column:
        return next(column for column in self.columns if column.key == key)
