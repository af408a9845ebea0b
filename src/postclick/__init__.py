"""Post-click conversion-rate (CVR) estimation over the entire impression space.

>>> import postclick
>>> log = postclick.simulate(rows=2_000, seed=0)
>>> log.train.height, log.test.height
(1500, 500)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from postclick.version import __version__ as __version__

# Public name -> module. Resolved on first use, so that `import postclick` is quick.
_PUBLIC = {
    "Bundle": "postclick.serving.bundle.bundle",
    "InputError": "postclick.errors",
    "LogSchema": "postclick.data.schema",
    "PreparedLog": "postclick.data.prepared",
    "Run": "postclick.runs.run",
    "RunSettings": "postclick.runs.settings",
    "calibrate": "postclick.runs.calibrate",
    "check_log": "postclick.data.check.check_log",
    "compare": "postclick.reporting.compare",
    "open_log": "postclick.data.read.opening",
    "open_scorer": "postclick.serving.opened_scorer",
    "open_splits": "postclick.datasets.opening",
    "evaluate": "postclick.runs.evaluate",
    "export": "postclick.serving.bundle.export",
    "distill": "postclick.experiments.distillation.distill",
    "get_dataset": "postclick.datasets",
    "judge": "postclick.judgements.judge_log",
    "prepare": "postclick.data.write.prepare",
    "report": "postclick.reporting.page",
    "reproduce": "postclick.papers",
    "propose_schema": "postclick.data.check.propose",
    "score": "postclick.serving.score_log",
    "sensitivity": "postclick.runs.sensitivity",
    "simulate": "postclick.datasets.simulated",
    "train": "postclick.training.train",
    "tune": "postclick.experiments.tuning.tune",
}

if TYPE_CHECKING:
    from postclick.data.check.check_log import check_log
    from postclick.data.check.propose import propose_schema
    from postclick.data.prepared import PreparedLog
    from postclick.data.read.opening import open_log
    from postclick.data.schema import LogSchema
    from postclick.data.write.prepare import prepare
    from postclick.datasets import get_dataset
    from postclick.datasets.opening import open_splits
    from postclick.datasets.simulated import simulate
    from postclick.errors import InputError
    from postclick.experiments.distillation.distill import distill
    from postclick.experiments.tuning.tune import tune
    from postclick.judgements.judge_log import judge
    from postclick.papers import reproduce
    from postclick.reporting.compare import compare
    from postclick.reporting.page import report
    from postclick.runs.calibrate import calibrate
    from postclick.runs.evaluate import evaluate
    from postclick.runs.run import Run
    from postclick.runs.sensitivity import sensitivity
    from postclick.runs.settings import RunSettings
    from postclick.serving.bundle.bundle import Bundle
    from postclick.serving.bundle.export import export
    from postclick.serving.opened_scorer import open_scorer
    from postclick.serving.score_log import score
    from postclick.training.train import train

__all__ = [
    "Bundle",
    "InputError",
    "LogSchema",
    "PreparedLog",
    "Run",
    "RunSettings",
    "calibrate",
    "check_log",
    "compare",
    "distill",
    "evaluate",
    "export",
    "get_dataset",
    "judge",
    "open_log",
    "open_scorer",
    "open_splits",
    "prepare",
    "propose_schema",
    "report",
    "reproduce",
    "score",
    "sensitivity",
    "simulate",
    "train",
    "tune",
]


if not TYPE_CHECKING:  # or a type checker would take any name

    def __getattr__(name: str) -> Any:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'postclick' has no attribute {name!r}")
        try:
            return getattr(import_module(_PUBLIC[name]), name)
        except ModuleNotFoundError as error:
            from postclick.extras import mend_of

            raise ModuleNotFoundError(mend_of(error) or str(error), name=error.name) from error
