"""What a finished run reached: the validation metric and the length of the epoch it kept."""

from typing import Any

from postclick.runs.run import Run


def best_value(run: Run, monitor: str) -> float:
    """The validation metric of the epoch that a run kept."""
    return float(kept_record(run)["valid"][monitor])


def passes(run: Run) -> int:
    """Passes over the training split that the kept weights have seen, preparing phases included."""
    return int(kept_record(run)["epoch"])


def kept_record(run: Run) -> dict[str, Any]:
    """The history record of the epoch whose weights a run kept."""
    history = run.history
    if run.settings.training.keep == "last":
        return history[-1]
    return [record for record in history if record["best"]][-1]
