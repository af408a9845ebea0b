"""Worlds and oracle figures as lines of text."""

from postclick.datasets.simulated.worlds import WORLDS

_TABLE = {
    "mean true CVR": "cvr",
    "AUC, true CVR": "cvr_auc",
    "AUC, features only": "feature_cvr_auc",
    "NLL, true CVR": "cvr_nll",
    "NLL, features only": "feature_cvr_nll",
    "NLL, base rate": "base_rate_cvr_nll",
    "PCOC, labels drawn": "cvr_pcoc",
}
_SPACES = ("clicked", "unclicked", "entire")


def world_lines() -> list[str]:
    """One line for each world: its name, default rates and rows, and what it is for.

    >>> world_lines()[1]
    'confounded       5.00 % clicks, 3.00 % of them convert,   400,000 rows: who clicks, buys: \
features drive both the same way'
    """
    return [
        f"{world.name:<16} {100 * world.ctr:.2f} % clicks, {100 * world.cvr:.2f} % of them "
        f"convert, {world.rows:>9,} rows: {world.summary}"
        for world in WORLDS.values()
    ]


def oracle_lines(oracle: dict[str, float | None]) -> list[str]:
    """The oracle figures of a log as a table of CVR by space and a line on clicks.

    >>> from postclick.datasets.simulated.log import simulate
    >>> lines = oracle_lines(simulate(rows=2_000).oracle)
    >>> lines[0].split(), lines[2].split()[:3]
    (['oracle', 'clicked', 'unclicked', 'entire'], ['AUC,', 'true', 'CVR'])
    """
    lines = [f"{'oracle':<20}" + "".join(f" {space:>10}" for space in _SPACES)]
    for label, figure in _TABLE.items():
        values = [oracle[f"{figure}_{space}"] for space in _SPACES]
        lines.append(f"{label:<20}" + "".join(f" {_text(value):>10}" for value in values))
    ctr, ctr_auc, seen, ctcvr_auc = (
        _text(oracle[name]) for name in ("ctr", "ctr_auc", "feature_ctr_auc", "ctcvr_auc")
    )
    lines.append(
        f"mean true CTR {ctr}, its AUC {ctr_auc} (features only {seen}), CTCVR AUC {ctcvr_auc}"
    )
    return lines


def variance_lines(variance: dict[str, dict[str, float]]) -> list[str]:
    r"""The shares of the variance of both logits as a table.

    >>> print(*variance_lines({"click": {"users": 0.25, "interactions": 0.75}}), sep="\n")
    variance of logits         users interactions
    click                     25.0 %       75.0 %
    """
    parts = list(next(iter(variance.values())))
    lines = [f"{'variance of logits':<20}" + "".join(f" {part:>{_wide(part)}}" for part in parts)]
    for name, shares in variance.items():
        cells = (f"{round(100 * shares[part], 1) + 0.0:.1f} %" for part in parts)
        lines.append(
            f"{name:<20}" + "".join(f" {c:>{_wide(p)}}" for c, p in zip(cells, parts, strict=True))
        )
    return lines


def _wide(part: str) -> int:
    return max(len(part), 11)


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.5f}"
