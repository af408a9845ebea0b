"""Figures over fresh draws of worlds in the form of a comparison's, and ours against the rest."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from fresh_draws import Record, with_error
from postclick.experiments.comparison.summary import OverSeeds, Perfect, Row, RowTest, Summary
from postclick.stats.paired import holm, paired_test, supported_best
from results_tables import COLUMNS

# The methods of the papers, which `naive` and every debiasing loss is among.
PAPERS = (
    *("naive", "mmoe,backbone=mmoe", "aitm", "esmm", "ctnocvr", "multi_ipw", "multi_dr", "snips"),
    *("clipped_ips", "escm2_ipw", "escm2_dr", "dr_jl", "mrdr", "dr_bias", "dr_mse", "mrdr_gpl"),
    *("ips_v2", "dr_v2", "dcmt", "ukd", "ddpo", "nise", "evi", "choruscvr"),
)
# Another draw is another world, its test rows too: there is nothing left to test over rows.
OVER_DRAWS = RowTest(0.95, "draws", {})


def of_draws(by_method: Mapping[str, Sequence[Record]]) -> Summary:
    """A summary of records by method, all of the same draws in the same order."""
    first = next(iter(by_method.values()))
    rows = []
    for metric, space, _ in COLUMNS:
        key = f"{metric} {space}"
        values = {m: [r["figures"][key] for r in found] for m, found in by_method.items()}
        told = {m: found for m, found in values.items() if None not in found}
        over = {
            m: OverSeeds(fmean(v), stdev(v) if len(v) > 1 else None, len(v), None)
            if m in told
            else OverSeeds(None, None, 0, "undefined on a draw")
            for m, v in values.items()
        }
        best = supported_best(told, metric) if len(told) == len(values) > 1 else None
        known = [record["perfect"].get(key) for record in first]
        perfect = None if None in known else _mean_perfect(known)
        rows.append(Row(metric, space, over, best, perfect=perfect, over_rows=OVER_DRAWS))
    seconds = {m: fmean(r["seconds"] for r in found) for m, found in by_method.items()}
    return Summary(tuple(by_method), len(first), tuple(rows), {"seconds": seconds})


def _mean_perfect(known: Sequence[tuple[float | None, float | None]]) -> Perfect:
    def mean(values: list[float | None]) -> float | None:
        found = [value for value in values if value is not None]
        return fmean(found) if len(found) == len(values) else None

    return Perfect(mean([value for value, _ in known]), mean([base for _, base in known]))


def ranked(found: Mapping[str, Sequence[Record]], methods: Sequence[str]) -> list[str]:
    """Those of `methods` that are there, by mean true AUC, the best first."""
    there = [method for method in methods if method in found]
    return sorted(there, key=lambda m: -fmean(record["auc"] for record in found[m]))


def against_the_best(
    worlds: Mapping[str, Mapping[str, Sequence[Record]]],
    ours: Sequence[str],
    papers: Sequence[str],
) -> list[str]:
    """Ours against the best of the papers' methods, world by world, paired by draw.

    The opponent is chosen with hindsight, on the draws that it is then compared on.
    """
    lines = [
        "| world | draws | best of the papers | true AUC | method | gain | p | wins "
        "| NLL x 1e4 | bias % | CPU s |",
        "|---|---:|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for method in ours:
        rows, p_values = [], []
        for world, found in worlds.items():
            best = ranked(found, papers)[0]
            mine, theirs = found[method], found[best]
            auc = [a["auc"] - b["auc"] for a, b in zip(mine, theirs, strict=True)]
            nll = [1e4 * (a["nll"] - b["nll"]) for a, b in zip(mine, theirs, strict=True)]
            p = paired_test([r["auc"] for r in mine], [r["auc"] for r in theirs]).p
            p_values.append(1.0 if p is None else p)
            bias = [100 * fmean(record["bias"] for record in one) for one in (theirs, mine)]
            cost = [fmean(record["seconds"] for record in one) for one in (theirs, mine)]
            before = f"| {world} | {len(mine)} | `{best}` | {fmean(r['auc'] for r in theirs):.4f} "
            before += f"| `{method}` | {with_error(auc, '.4f')}"
            after = f"{sum(gain > 0 for gain in auc)} | {with_error(nll, '.0f')} "
            after += f"| {bias[0]:+.0f} to {bias[1]:+.0f} | {cost[0]:.1f} to {cost[1]:.1f} |"
            rows.append((before, after))
        for (before, after), p in zip(rows, holm(p_values), strict=True):
            lines.append(f"{before} | {p:.3f} | {after}")
    return lines
