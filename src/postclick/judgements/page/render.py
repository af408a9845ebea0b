"""A judgement as one HTML page: light, without scripts, nothing fetched from a network."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from postclick.judgements.page.calibration import (
    farthest_note,
    farthest_strips,
    farthest_table,
    pcoc_strips,
    pcoc_table,
    reliability,
)
from postclick.judgements.page.differences import gain_figures, gain_tables
from postclick.judgements.page.exposure import exposure_part
from postclick.judgements.page.figures import beside_tables, figure_tables
from postclick.judgements.page.remarks import interval_remarks, role_table, versions
from postclick.judgements.page.segments import feature_parts
from postclick.judgements.page.view import TOGETHER, View
from postclick.judgements.page.whole_space import balance_part, whole_part
from postclick.judgements.page.words import shortened, ticked
from postclick.judging.predicted.result import JudgedLog
from postclick.spelling import counted


def render(judged: JudgedLog) -> str:
    """The page as text: the answer, calibration, tables, segments, and what was assumed."""
    environment = Environment(
        # What all reports share lies with the other report.
        loader=ChoiceLoader(
            [
                PackageLoader("postclick.judgements.page", "."),
                PackageLoader("postclick.reporting", "."),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ticked": ticked, "shortened": shortened, "counted": counted}
    view = View(judged)
    part = judged.randomised
    return environment.get_template("page.html.j2").render(
        judged=judged,
        view=view,
        together=TOGETHER,
        pcoc=pcoc_table(view),
        pcoc_strips=pcoc_strips(view),
        reliability=[
            (told, list(charts.values()))
            for quantity, told in (("cvr", "pCVR"), ("ctr", "pCTR"))
            if (charts := reliability(view, quantity))
        ],
        farthest=farthest_strips(view),
        farthest_note=farthest_note(view),
        farthest_others=farthest_table(view),
        figures=figure_tables(judged, truth=False),
        gains=gain_figures(view),
        differences=gain_tables(judged, view.reference),
        differences_of_ship=gain_tables(judged, view.ship) if view.ship != view.reference else [],
        features=feature_parts(view),
        truth=figure_tables(judged, truth=True),
        whole=whole_part(view),
        balance=balance_part(view),
        exposure=exposure_part(view),
        randomised=[] if part is None else beside_tables(judged, part),
        randomised_gains=[] if part is None else gain_tables(part, part.models[0], "Randomised: "),
        intervals=interval_remarks(judged),
        roles=role_table(judged),
        versions=versions(),
    )
