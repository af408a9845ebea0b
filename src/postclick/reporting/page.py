"""From a comparison's folder to report.html: one file, nothing fetched from a network."""

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from postclick.reporting.answer import answer, both_tests, calibration, other_protocol
from postclick.reporting.commands import compare_again, train_again
from postclick.reporting.figure import lines
from postclick.reporting.folder import ComparisonFolder, read_comparison
from postclick.reporting.sections import calibration_of, figures_of, results_of
from postclick.reporting.segment_tables import segment_tables
from postclick.reporting.tables import findings_table, funnel_table
from postclick.runs.folder import CONFIG
from postclick.system.files import write_text

REPORT = "report.html"
# What follows a figure in its cell: a deviation or an interval.
_SPREAD = re.compile(r" (± \S+|\[[^\]]*\])$")


def report(folder: str | Path) -> Path:
    """Write `report.html` into a comparison's folder and return its path.

    Reads what `postclick compare` left there; neither the log nor the weights are needed.

    Raises:
        InputError: `folder` holds no finished comparison, or a file of it is damaged.
    """
    comparison = read_comparison(Path(folder))
    path = comparison.folder / REPORT
    write_text(path, render(comparison))
    return path


def render(comparison: ComparisonFolder) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("postclick.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["as_json"] = as_json
    environment.filters["breakable"] = breakable
    main, *others = comparison.parts
    truth = comparison.diagnostics["truth"]
    return environment.get_template("template.html.j2").render(
        comparison=comparison,
        protocol=main.summary.protocol,
        headline=comparison.answer.sentence,
        answer=(
            *([both_tests(comparison.answer)] if len(main.summary.methods) > 1 else []),
            *answer(main, comparison.split, truth),
            calibration(comparison.answer),
        ),
        beside=[text for other in others if (text := other_protocol(main, other))],
        funnel=funnel_table(comparison),
        findings=findings_table(comparison),
        results=[results_of(part, comparison.split) for part in comparison.parts],
        legend=list(lines(main.curves).values()),
        figures=[figures_of(comparison, part) for part in comparison.parts],
        segments=[
            (part, found)
            for part in comparison.parts
            if (found := segment_tables(part, comparison.split))
        ],
        calibration=calibration_of(comparison),
        compare_again=compare_again(comparison),
        configs=[
            (part, method, run.config, train_again(comparison, str(run.folder / CONFIG)))
            for part in comparison.parts
            for method, run in part.runs.items()
        ],
        packages=next(iter(main.runs.values())).info,
        plotly=Markup(get_plotlyjs()),
    )


def breakable(text: str) -> Markup:
    """A title or a cell with the places at which a narrow column may break it.

    >>> breakable("cvr_auc"), breakable("0.71 ± 0.02"), breakable("<b>")
    (Markup('cvr_<wbr>auc'), Markup('0.71 <span class="spread">± 0.02</span>'), Markup('&lt;b&gt;'))
    """
    escaped = str(escape(text)).replace("_", "_<wbr>")
    return Markup(_SPREAD.sub(r' <span class="spread">\1</span>', escaped))


def as_json(data: Any) -> Markup:
    """JSON for a script element: nothing in it can end the element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    escaped = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(escaped)
