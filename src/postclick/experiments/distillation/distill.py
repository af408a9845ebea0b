"""`distill`: a run, such as a mean of many, as one plain network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.distillation.parity import Parity, measure_parity
from postclick.progress import Reporter
from postclick.runs.folder import MODEL
from postclick.runs.run import Run
from postclick.runs.settings import TAUGHT, RunSettings
from postclick.runs.teacher import Teacher
from postclick.system.checksums import file_digest
from postclick.system.files import write_json
from postclick.tracking.destination import Track
from postclick.training.train import train

# Of the student's folder: how far it predicts what its teacher does.
PARITY = "parity.json"
# Each training impression is a label, and without noise: nothing has to be stopped or chosen by
# validation rows.
DEFAULTS = (
    "training.epochs=3",
    "training.schedule=linear",
    "training.patience=null",
    "training.keep=last",
)


@dataclass(frozen=True)
class Distillation:
    """The student's run, and how far it predicts what its teacher does."""

    run: Run
    parity: Parity


def distill(
    run: Run | str | Path,
    data: PreparedLog | str | Path,
    out: str | Path,
    *,
    overrides: Sequence[str] = (),
    seed: int = 0,
    split: str = "valid",
    reporter: Reporter | None = None,
    track: Sequence[Track] = (),
) -> Distillation:
    """Train one plain network on the pCTR and pCVR that a run predicts of every training row.

    The student is a run of `naive` like any other, and needs its teacher no more; config.yaml says
    by which run it was taught, parity.json what `Parity` measures. An interrupted one goes on where
    it was. A calibrator of the teacher is not learnt: calibrate the student.

    Args:
        run: the teacher, any finished run, or its folder.
        data: the prepared log that it was trained on, or its folder.
        out: the student's folder; must not exist.
        overrides: `key=value` of the student's network and training; by default 3 passes, over
            which the learning rate falls to 0, and the last weights.
        seed: of the student.
        split: where the two are compared; it chooses nothing.
        track: as in `train`.

    Raises:
        InputError: the run was trained on another log, there is no such split, a setting cannot be,
            or `out` exists.

    >>> import tempfile
    >>> from postclick import prepare, simulate, train
    >>> from postclick.data.read.log_source import FrameSource
    >>> from postclick.data.splits import LogSplits
    >>> raw = simulate("confounded", rows=2_000, ctr=0.3, cvr=0.3, users=50, items=20)
    >>> splits = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = prepare(splits, f"{folder}/data")
    ...     teacher = train(log, "click_prior", f"{folder}/teacher")
    ...     found = distill(teacher, log, f"{folder}/student")
    ...     found.run.settings.method, found.run.settings.teacher.method, found.parity.rows
    ('naive', 'click_prior', 148)
    """
    teacher = run if isinstance(run, Run) else Run(run)
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    teacher.require(log)
    log.split(split)
    settings = _settings(teacher, overrides, seed)
    student = train(log, settings, out, reporter=reporter, track=track)
    parity = measure_parity(teacher, student, log, split)
    write_json(student.folder / PARITY, parity.as_dict())
    return Distillation(student, parity)


def _settings(teacher: Run, overrides: Sequence[str], seed: int) -> RunSettings:
    settings = RunSettings.make(TAUGHT, overrides=[*DEFAULTS, *overrides], seed=seed)
    if settings.options:
        name = next(iter(settings.options))
        raise InputError(
            f"{name} is an option of {TAUGHT}, whose labels a student does not see: leave it "
            "out; settings of network and training may be given"
        )
    taught_by = Teacher(
        run=str(teacher.folder.resolve()),
        method=teacher.settings.method,
        sha256=file_digest(teacher.folder / MODEL),
        differs_on_clicks=teacher.settings.differs_on_clicks,
    )
    return settings.model_copy(update={"teacher": taught_by})
