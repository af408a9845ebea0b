"""A reproduction as a Markdown page."""

from collections.abc import Iterator, Sequence

from postclick.papers.claims import ALPHA, Finding, Tested
from postclick.papers.panels import Panel
from postclick.papers.paper_table import Table, agreements, paper_table
from postclick.papers.reproduction import Reproduction


def to_markdown(found: Reproduction) -> str:
    """The whole page."""
    return "\n\n".join(_blocks(found)) + "\n"


def _blocks(found: Reproduction) -> Iterator[str]:
    experiment, results, log = found.experiment, found.results, found.log
    paper = experiment.paper
    yield f"# {experiment.name}: {paper.name}, {experiment.where}"
    yield f"{experiment.what[0].upper()}{experiment.what[1:]}. Paper: {paper.reference}."
    train, test = (
        ", ".join(f"{count:,} {name}" for name, count in counts.items())
        for counts in (log.train, log.test)
    )
    yield (
        f"Measured on `{log.folder}` (train: {train}; test: {test}), {found.seeds} "
        f"seed{'s' if found.seeds > 1 else ''}, on the test split; mean ± standard deviation over "
        "seeds. Best measured mean in bold, whether or not it is beyond noise. "
        + (
            "Reported numbers are the paper's and were not measured here."
            if any(finding.reported for finding in found.findings)
            else "The paper gives no numbers here."
        )
    )
    yield as_markdown(paper_table(experiment, results, log.folder))
    yield from _footnotes(found)
    yield "## Does what the paper says hold here?"
    yield (
        f"Paired two-sided t-tests over seeds, Holm-corrected over the comparisons of a claim, "
        f"at {100 * ALPHA:g} %. *holds*: every comparison is as claimed beyond noise. *does not "
        "hold*: one is the other way round beyond noise. *within noise*: neither."
    )
    yield as_markdown(claims_table(found))
    ranks = agreements(experiment, results)
    if ranks:
        yield "## Rank correlation of measured and reported order"
        yield "Kendall's tau-b: 1 the same order, 0 unrelated, -1 reversed."
        titles = {c.key: c.title for c in experiment.columns}
        rows = tuple(
            (
                titles[rank.column],
                rank.dataset,
                "undefined" if rank.tau is None else f"{rank.tau:+.2f}",
                str(rank.methods),
            )
            for rank in ranks
        )
        yield as_markdown(Table(("Column", "Reported on", "tau", "Methods"), rows))
    for panel in (panel for panel in found.panels if not panel.tabled):
        yield f"## {panel.title}"
        yield as_markdown(panel_table(panel))
    yield "## Protocol"
    yield (
        "What neither the paper nor its authors' code states is a default of this library."
        + (f" Given on top: `{'`, `'.join(found.overrides)}`." if found.overrides else "")
    )
    used = tuple((f"`{u.key}`", f"`{u.value}`", u.source) for u in found.settings)
    yield as_markdown(Table(("Setting", "Value", "Stated by"), used))
    yield "\n".join(f"- {note}" for note in (*experiment.notes, *paper.notes))
    yield "## Cost"
    yield "Training alone, one thread a run; it depends on the machine and on what else ran."
    costs = tuple(
        (
            cost.arm,
            f"{cost.passes:g}",
            f"{cost.rows_per_second:,.0f}",
            f"{cost.minutes_per_million:.2f}",
        )
        for cost in found.costs
    )
    header = ("Arm", "Passes", "Impressions/s", "Minutes per run and million training rows")
    yield as_markdown(Table(header, costs))


def _footnotes(found: Reproduction) -> Iterator[str]:
    notes = [f"**Warning**: {found.warning}."] if found.warning else []
    notes += [f"{c.title}: {c.warning}." for c in found.experiment.columns if c.warning]
    titles = found.experiment.titles
    for column in found.experiment.columns:
        by_reason: dict[str, list[str]] = {}
        for arm, reason in found.results.undefined.get(column.key, {}).items():
            by_reason.setdefault(reason, []).append(titles[arm])
        for reason, arms in by_reason.items():
            whose = "any" if len(arms) == len(titles) else ", ".join(arms)
            notes.append(f"Not measured: {column.title} of {whose}: {reason}.")
    if notes:
        yield "\n".join(f"- {note}" for note in notes)


def claims_table(found: Reproduction) -> Table:
    """One row a claim: verdict, what it rests on, and whether the paper's own numbers agree."""
    rows = tuple(
        (
            finding.claim.text,
            f"**{finding.verdict}**",
            explain(finding, found.experiment.titles),
            "; ".join(f"{d} {'yes' if yes else 'no'}" for d, yes in finding.reported.items())
            or "no numbers given",
        )
        for finding in found.findings
    )
    return Table(("Claim", "Here", "Why", "In the paper's own numbers"), rows)


def explain(finding: Finding, titles: dict[str, str]) -> str:
    """What a verdict rests on, with the comparison that decides."""
    if finding.reason is not None:
        return f"not tested: {finding.reason}"
    parts = ["means as claimed" if finding.on_average else "means not as claimed"]
    against = [t for t in finding.tests if t.difference < 0 and t.p < ALPHA]
    supported = [t for t in finding.tests if t.difference > 0 and t.p < ALPHA]
    parts.append(f"{len(supported)} of {len(finding.tests)} comparisons as claimed beyond noise")
    if against:
        parts.append(f"{len(against)} the other way round beyond noise")
    # The comparison nearest to contradicting, or else the one least sure.
    contrary = [t for t in finding.tests if t.difference <= 0]
    of = min(contrary, key=lambda t: t.p) if contrary else max(finding.tests, key=lambda t: t.p)
    parts.append(f"decisive: {_name(of, titles)} {of.difference:+.2g}, Holm p {of.p:.2g}")
    if finding.tau is not None:
        parts.append(f"tau with the claimed order {finding.tau:+.2f}")
    return "; ".join(parts)


def _name(test: Tested, titles: dict[str, str]) -> str:
    if len(test.arms) == 1:
        return f"{titles[test.arms[0]]} above the mark by"
    if len(test.arms) == 2:
        return f"{titles[test.arms[0]]} over {titles[test.arms[1]]}"
    return "slope"


def panel_table(panel: Panel) -> Table:
    """One row an x, one column a series."""
    ats = list(dict.fromkeys(at for series in panel.series for at in series.x))
    rows = []
    for at in ats:
        cells = [f"{at:g}" if isinstance(at, float) else str(at)]
        for series in panel.series:
            k = series.x.index(at) if at in series.x else None
            mean = None if k is None else series.y[k]
            sd = None if k is None else series.sd[k]
            text = "" if mean is None else f"{mean:.4f}"
            cells.append(text if sd is None else f"{text} ± {sd:.4f}")
        rows.append(tuple(cells))
    return Table((panel.x, *(f"{s.name} ({panel.y})" for s in panel.series)), tuple(rows))


def as_markdown(table: Table) -> str:
    """A pipe table; pipes in cells are escaped.

    >>> print(as_markdown(Table(("a", "b"), (("1", "x|y"),))))
    | a | b |
    |---|---|
    | 1 | x\\|y |
    """

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "|" + "---|" * len(table.header)
    return "\n".join([line(table.header), rule, *(line(row) for row in table.rows)])
