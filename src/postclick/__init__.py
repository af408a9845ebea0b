"""Post-click conversion-rate (CVR) estimation over the entire impression space.

>>> import postclick
>>> log = postclick.simulate(rows=2_000, seed=0)
>>> log.train.height, log.test.height
(1500, 500)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> module. Resolved on first use, so that `import postclick` is quick.
_PUBLIC = {
    "Bundle": "postclick.serving.bundle",
    "InputError": "postclick.errors",
    "LogSchema": "postclick.data.schema",
    "PreparedLog": "postclick.data.prepared",
    "Run": "postclick.training.run",
    "RunSettings": "postclick.training.settings",
    "calibrate": "postclick.calibration.run",
    "check_log": "postclick.data.checks",
    "compare": "postclick.experiments.compare",
    "open_log": "postclick.data.source",
    "open_splits": "postclick.datasets.opening",
    "evaluate": "postclick.training.run",
    "export": "postclick.serving.export",
    "get_dataset": "postclick.datasets",
    "prepare": "postclick.data.prepare",
    "report": "postclick.reporting",
    "reproduce": "postclick.experiments.reproduce",
    "propose_schema": "postclick.data.propose",
    "score": "postclick.serving.scoring",
    "simulate": "postclick.datasets.simulated",
    "train": "postclick.training.run",
    "tune": "postclick.experiments.tuning.tune",
}

if TYPE_CHECKING:
    from postclick.calibration.run import calibrate
    from postclick.data.checks import check_log
    from postclick.data.prepare import prepare
    from postclick.data.prepared import PreparedLog
    from postclick.data.propose import propose_schema
    from postclick.data.schema import LogSchema
    from postclick.data.source import open_log
    from postclick.datasets import get_dataset
    from postclick.datasets.opening import open_splits
    from postclick.datasets.simulated import simulate
    from postclick.errors import InputError
    from postclick.experiments.compare import compare
    from postclick.experiments.reproduce import reproduce
    from postclick.experiments.tuning.tune import tune
    from postclick.reporting import report
    from postclick.serving.bundle import Bundle
    from postclick.serving.export import export
    from postclick.serving.scoring import score
    from postclick.training.run import Run, evaluate, train
    from postclick.training.settings import RunSettings

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
    "evaluate",
    "export",
    "get_dataset",
    "open_log",
    "open_splits",
    "prepare",
    "propose_schema",
    "report",
    "reproduce",
    "score",
    "simulate",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'postclick' has no attribute {name!r}")
    try:
        return getattr(import_module(_PUBLIC[name]), name)
    except ModuleNotFoundError as error:
        from postclick.extras import mend_of

        raise ModuleNotFoundError(mend_of(error) or str(error), name=error.name) from error
