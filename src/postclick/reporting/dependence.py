"""The profile of a dependence on a hidden cause: its likelihood, as a table and a figure."""

from __future__ import annotations

from math import isfinite

from postclick.linear.likelihood_ratio import CUT, Profile
from postclick.methods.dependence import Dependence
from postclick.reporting.figure import GUIDE, Plot, add_line, empty_figure, lines
from postclick.reporting.tables import Column, Table, Value

# Room beside the outermost values that were tried.
MARGIN = 0.1


def dependence_table(method: str, found: Dependence) -> Table | None:
    """A row for each s that was tried; None where s was set."""
    if found.profile is None:
        return None
    columns = (
        Column("s"),
        Column("log-likelihood", "of held-out conversions, below the greatest"),
        Column("within", "95 % interval", numeric=False),
    )
    rows = tuple(
        (
            Value(f"{s:.2f}", s),
            Value(f"{-loss:z.2f}", -loss),
            Value("yes" if loss <= CUT else "no", loss),
        )
        for s, loss in zip(found.profile.at, found.profile.loss, strict=True)
    )
    return Table(f"{method}: likelihood of the dependence s", columns, rows)


def dependence_plots(found: Dependence) -> list[Plot]:
    """The log-likelihood over s, with the interval shaded; no plot where s was set."""
    profile = found.profile
    if profile is None:
        return []
    figure = empty_figure("dependence s", "log-likelihood, below the greatest")
    first, last = profile.at[0] - MARGIN, profile.at[-1] + MARGIN
    shade = {"fillcolor": "#8a8f98", "opacity": 0.18, "line_width": 0}
    figure.add_vrect(x0=max(profile.low, first), x1=min(profile.high, last), **shade)
    figure.add_hline(y=-CUT, line=GUIDE)
    for s in (0.0, profile.best):
        figure.add_vline(x=s, line=GUIDE)
    figure.update_layout(xaxis_range=[first, last])
    heights = [-loss for loss in profile.loss]
    line = lines(["s"])["s"]
    add_line(figure, line, list(profile.at), heights, "%{x:.2f}<br>%{y:.2f}")
    note = (
        f"{found.statement[0].upper()}{found.statement[1:]}. Held-out conversions, of all folds; "
        f"shaded: the 95 % interval, where less than {CUT:.2f} is lost{_open(profile)}."
    )
    return [Plot("Dependence on a hidden cause", note, figure.to_plotly_json())]


def _open(profile: Profile) -> str:
    if isfinite(profile.low) and isfinite(profile.high):
        return ""
    return ", which goes on beyond what was tried"
