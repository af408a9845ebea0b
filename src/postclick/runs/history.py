"""history.jsonl: one record per epoch, and how it reads on screen."""

import json
from pathlib import Path
from typing import Any

from postclick.errors import InputError
from postclick.progress import Reporter
from postclick.system.files import write_text

HISTORY = "history.jsonl"


class History:
    """The records of a run, kept in a file with one JSON object per line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
            return [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} is damaged: {error}") from None

    def cut(self, epochs: int) -> None:
        """Drop records after `epochs`: they were written but their checkpoint was not."""
        self._write(self.records()[:epochs])

    def add(self, record: dict[str, Any], reporter: Reporter) -> None:
        self._write([*self.records(), record])
        reporter.line(summary(record))

    def _write(self, records: list[dict[str, Any]]) -> None:
        write_text(self.path, "".join(json.dumps(record) + "\n" for record in records))


def summary(record: dict[str, Any]) -> str:
    """One line: loss by term, validation metrics, propensity diagnostics, rate."""
    terms = " ".join(f"{name} {value:.4f}" for name, value in record["terms"].items())
    valid = " ".join(
        f"{name} {'undefined' if value is None else f'{value:.4f}'}"
        for name, value in record["valid"].items()
    )
    parts = [f"epoch {record['epoch']}: loss {record['loss']:.4f} ({terms})", f"valid {valid}"]
    if "clip_share" in record:
        effective = record["effective_sample_size"]
        text = f"clipped {record['clip_share']:.1%}, effective sample {effective:,.0f}"
        parts.append(f"{text} of {record['clicks']:,.0f} clicks")
    if "held_out" in record:
        held = record["held_out"]
        parts.append(
            f"held-out c/pi {held['click_over_pi']:.3f}, "
            f"(1-c)/(1-pi) {held['unclick_over_rest']:.3f}"
        )
    parts.append(f"{record['rows_per_second']:,} rows/s")
    return " | ".join(parts) + (" *" if record["best"] else "")
