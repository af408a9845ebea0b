"""Do other backbones rank better? Test figures of one method on each, paired over seeds.

    python benchmarks/backbone_quality.py [--method naive] [--rows 60000] [--seeds 5]
        [--logs confounded adverse coat --coat FOLDER]

One log of each kind; a seed is that of the weights. Each backbone has its default options, and
all train for the same passes (the first protocol of `compare`). Every figure is the mean over
seeds; in brackets its difference to `share_bottom` and the p-value of a paired t-test over seeds,
Holm-corrected over the backbones of a line.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import fmean

import polars as pl

import postclick
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.experiments.comparison.plan import Arm
from postclick.nn.backbones import BACKBONES
from postclick.reporting.compare import compare
from postclick.stats import holm, paired_test
from workload import print_table

REFERENCE = "share_bottom"
FIGURES = (("ctr_auc", "entire"), ("cvr_auc", "clicked"), ("true_cvr_auc", "entire"))


def prepared(kind: str, rows: int, coat: Path | None, folder: Path) -> PreparedLog:
    """A world of that name, or Coat in its published form."""
    if kind == "coat":
        if coat is None:
            raise SystemExit("coat needs --coat, the folder of the data set as published")
        return postclick.prepare(postclick.get_dataset("coat").load(coat), folder)
    raw = postclick.simulate(kind, rows=rows, seed=0)
    splits = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    return postclick.prepare(splits, folder)


def lines(results: pl.DataFrame) -> dict[str, dict[str, object]]:
    """One for each figure: means, differences to the reference, p-values."""
    found: dict[str, dict[str, object]] = {}
    for metric, space in FIGURES:
        mine = results.filter((pl.col("metric") == metric) & (pl.col("space") == space))
        values = {
            name: mine.filter(pl.col("method") == name).sort("seed")["value"].to_list()
            for name in BACKBONES
        }
        if not all(values.values()) or any(None in v for v in values.values()):
            continue
        others = [name for name in BACKBONES if name != REFERENCE]
        tests = [paired_test(values[name], values[REFERENCE]) for name in others]
        p = holm([1.0 if test.p is None else test.p for test in tests])
        row: dict[str, object] = {REFERENCE: f"{fmean(values[REFERENCE]):.4f}"}
        for name, one in zip(others, p, strict=True):
            gap = fmean(values[name]) - fmean(values[REFERENCE])
            row[name] = f"{fmean(values[name]):.4f} ({gap:+.4f}, p {one:.2f})"
        found[metric] = row
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="naive")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--logs", nargs="+", default=["confounded", "adverse"])
    parser.add_argument("--coat", type=Path)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    arms = [Arm(name, arguments.method, (f"network.backbone={name}",)) for name in BACKBONES]
    table: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for kind in arguments.logs:
            folder = Path(scratch) / kind
            log = prepared(kind, arguments.rows, arguments.coat, folder)
            found = compare(
                log,
                arms,
                Path(scratch) / f"{kind}_results",
                seeds=arguments.seeds,
                trials=0,
                workers=arguments.workers,
            )
            table |= {f"{kind} {name}": line for name, line in lines(found.results).items()}
    print_table(table)
    print(json.dumps({"method": arguments.method, "seeds": arguments.seeds, "lines": table}))


if __name__ == "__main__":
    main()
