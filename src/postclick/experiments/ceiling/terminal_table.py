"""The four arms as a table."""

from rich.table import Table

from postclick.experiments.ceiling.arms import ARMS
from postclick.experiments.ceiling.result import Ceiling
from postclick.experiments.ceiling.sentences import percent, told


def table(found: Ceiling) -> Table:
    """An arm a line: how many rows and conversions it learns from, and how far it gets."""
    title = f"{found.method} on {found.world}, trained for CVR on"
    shown = Table(title=title, title_justify="left")
    for name in ("training rows", "rows", "conversions", "true AUC", "bias %"):
        shown.add_column(name, justify="left" if name == "training rows" else "right")
    for arm, words in ARMS.items():
        rows, conversions, auc, bias = (
            found.mean(arm, name) for name in ("rows", "conversions", "auc", "bias")
        )
        level = percent(bias.mean).removesuffix(" %")
        if bias.standard_error is not None:
            level += f" ± {100 * bias.standard_error:.0f}"
        shown.add_row(words, f"{rows.mean:,.0f}", f"{conversions.mean:,.0f}", told(auc), level)
    return shown


def footnotes(found: Ceiling) -> list[str]:
    """How to read the table."""
    draws = len(found.seeds)
    over = f"mean of {draws} draws ± standard error" if draws > 1 else "one draw"
    return [
        f"{over}; against the true CVR of all test impressions. Labels are recorded conversions on "
        "clicked rows, potential ones on others.",
        "Clicks of an arm are its rows: of random ones nothing is learnt beside conversions, while "
        "clicked rows keep what pCVR gains from a CTR task (naive/no_ctr has none).",
    ]
