"""A reproduction as JSON."""

from dataclasses import asdict
from typing import Any

from postclick.papers.paper_table import agreements, improvement
from postclick.papers.reported import reported_table
from postclick.papers.reproduction import Reproduction


def to_json(found: Reproduction) -> dict[str, Any]:
    """Everything on the page, and each seed's values."""
    experiment, results = found.experiment, found.results
    reported = reported_table(experiment.paper.name, experiment.where)
    return {
        "experiment": experiment.name,
        "paper": experiment.paper.reference,
        "where": experiment.where,
        "what": experiment.what,
        "log": asdict(found.log),
        "seeds": found.seeds,
        "overrides": list(found.overrides),
        "settings": [asdict(used) for used in found.settings],
        "columns": [
            {
                "key": column.key,
                "title": column.title,
                "better": column.scale.text,
                "warning": column.warning,
                "improvement_percent": improvement(experiment, results, column.key),
            }
            for column in experiment.columns
        ],
        "rows": [
            {
                "title": entry.title,
                **dict(zip(experiment.marks, entry.marks, strict=True)),
                "arm": asdict(entry.arm),
                "measured": {
                    column.key: {
                        "mean": results.mean(column.key, entry.arm.label),
                        "sd": results.sd(column.key, entry.arm.label),
                        "by_seed": results.by_seed(column.key, entry.arm.label),
                        "undefined": results.undefined.get(column.key, {}).get(entry.arm.label),
                    }
                    for column in experiment.columns
                },
                "reported": {
                    dataset: {
                        column.key: numbers.get((entry.title, column.reported))
                        for column in experiment.columns
                        if column.reported is not None
                    }
                    for dataset, numbers in reported.items()
                },
            }
            for entry in experiment.entries
        ],
        "claims": [
            {
                "claim": finding.claim.text,
                "column": finding.claim.column,
                "verdict": finding.verdict,
                "reason": finding.reason,
                "means_as_claimed": finding.on_average,
                "comparisons": [
                    {"arms": list(test.arms), "difference": test.difference, "p_holm": test.p}
                    for test in finding.tests
                ],
                "kendall_tau_with_claimed_order": finding.tau,
                "in_the_papers_own_numbers": dict(finding.reported),
            }
            for finding in found.findings
        ],
        "rank_correlation": [asdict(rank) for rank in agreements(experiment, results)],
        "panels": [asdict(panel) for panel in found.panels],
        "costs": [asdict(cost) for cost in found.costs],
        "warning": found.warning,
        "notes": [*experiment.notes, *experiment.paper.notes],
    }
