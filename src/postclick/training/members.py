"""Members of a method, each trained as a run of its own within the unfinished run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from postclick.data.folds import PartOfTraining
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods.base import Method
from postclick.progress import Reporter
from postclick.runs.kept_epoch import kept_record
from postclick.runs.members import member_settings
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings

Train = Callable[..., Run]


class MemberTrainer:
    """Trains the members of a method by number; what is finished in `folder` is read again.

    Args:
        settings: of the whole run.
        folder: where the members' runs are kept while the whole is not finished.
        train: trains settings on a log into a folder, and goes on with what it finds there.

    Attributes:
        records: of each member of the whole log that has been asked for: method, seed, epochs and
            the validation metrics of the epoch that it kept.
    """

    def __init__(
        self,
        settings: RunSettings,
        log: PreparedLog,
        folder: Path,
        reporter: Reporter,
        train: Train,
    ) -> None:
        self.log, self.folder, self.reporter, self.train = log, folder, reporter, train
        self.settings = member_settings(settings)
        self.records: list[dict[str, Any]] = []

    def __call__(
        self, number: int, part: PartOfTraining | None = None, **options: Any
    ) -> Method[Any]:
        """The member, trained on the log or a part of it, on the CPU.

        Args:
            options: take the place of some of its own.
        """
        settings, folder = self.settings[number], self.folder / f"member-{number}"
        if options:
            changed = {"options": {**settings.options, **options}}
            settings = settings.model_copy(update=changed)
        called = f"{settings.method}, seed {settings.seed}"
        place = f"member {number + 1} of {len(self.settings)} ({called})"
        log = self.log
        if part is not None:
            log = part
            folder = folder.with_name(f"{folder.name}-{part.name}")
            place = f"{place} {part.name.replace('-', ' ')}"
        if folder.exists():
            self.reporter.line(f"{place} is there from before")
            run = Run(folder)
        else:
            self.reporter.line(place)
            try:
                with torch.enable_grad():
                    run = self.train(log, settings, folder, reporter=self.reporter)
            except InputError as error:
                raise type(error)(f"{place}: {error}") from None
        if part is not None:
            return run.load()
        told = {"epochs": len(run.history), "valid": kept_record(run)["valid"]}
        self.records.append({"method": settings.method, "seed": settings.seed, **told})
        return run.load()
