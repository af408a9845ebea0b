"""EVI, Fig. 2: how good are the pseudo-labels, and how biased are the students?"""

from collections.abc import Sequence

from postclick.experiments.comparison.plan import Arm
from postclick.papers.claims import Claim, best, chain
from postclick.papers.experiment import Column, Entry, Experiment
from postclick.papers.judged import JudgedRun
from postclick.papers.measures import mean_bias, metric, teacher
from postclick.papers.panels import Panel, column_panel
from postclick.papers.papers import EVI
from postclick.papers.results import LOWER, Results, Scale

TITLES = {"ukd": "UKD", "ddpo": "DDPO", "evi/no_vie": "EVI w/o VIE", "evi": "EVI"}
TEACHERS = ("evi", "ukd", "ddpo")  # from the lowest logloss to the highest, as claimed
DEGENERATE = (
    "every unclicked row is recorded as 0, so it rewards small labels, and the true CVR itself "
    "scores worse than a constant near 0"
)
COLUMNS = (
    Column(
        "teacher_recorded",
        "teacher logloss, unclicked rows, against recorded conversions (degenerate)",
        teacher("recorded_zeros"),
        LOWER,
        warning=DEGENERATE,
    ),
    Column(
        "teacher_true",
        "teacher logloss, unclicked rows, against the true CVR",
        teacher("true_cvr"),
        LOWER,
    ),
    Column("mean_bias", "mean bias, clicked rows", mean_bias, Scale(target=0.0), digits=5),
    Column(
        "true_bias",
        "true mean bias, all impressions",
        metric("cvr_bias", "entire"),
        Scale(target=0.0),
        digits=5,
    ),
)


def panels(results: Results, runs: Sequence[JudgedRun]) -> tuple[Panel, ...]:
    """A group of bars for each column that is measured."""
    return tuple(
        panel
        for column in COLUMNS
        for panel in column_panel(
            column.title, ("method", column.title.split(",")[0]), "bar", results, column.key, TITLES
        )
    )


def _bias(column: str, of: str) -> tuple[Claim, ...]:
    return (
        best(f"EVI has the smallest {of}", column, "evi", ["ukd", "ddpo", "evi/no_vie"]),
        chain(f"EVI has a smaller {of} than EVI w/o VIE", column, "evi", "evi/no_vie"),
        chain(
            f"DDPO has a smaller {of} than UKD (the paper: on Ali-CCP, AE-FR)",
            column,
            "ddpo",
            "ukd",
        ),
    )


EXPERIMENT = Experiment(
    name="evi-fig2",
    paper=EVI,
    where="Figure 2",
    what="logloss of the teachers on unclicked rows, and mean bias of the students",
    entries=tuple(Entry(title, Arm(m, m)) for m, title in TITLES.items()),
    columns=COLUMNS,
    claims=(
        chain(
            "Teacher logloss against recorded conversions (degenerate): EVI < UKD < DDPO",
            "teacher_recorded",
            *TEACHERS,
        ),
        chain("Teacher logloss against the true CVR: EVI < UKD < DDPO", "teacher_true", *TEACHERS),
        *_bias("mean_bias", "mean bias on clicked rows"),
        *_bias("true_bias", "true mean bias on all impressions"),
    ),
    notes=(
        "The paper gives the figure without numbers and does not define mean bias: here mean "
        "pCVR - mean conversion on clicked rows, compared by its absolute value in each run; the "
        "table shows it with its sign, so a mean near 0 may hide runs that are far off.",
        f"Teacher logloss against recorded conversions is degenerate: {DEGENERATE}. The "
        "order that it gives says nothing of which teacher is right; the column against the true "
        "CVR does.",
        "Only UKD, DDPO and EVI's teachers stand in the claims; EVI w/o VIE has a teacher too.",
    ),
    panels=panels,
)
