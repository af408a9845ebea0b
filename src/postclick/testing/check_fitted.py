"""`check_fitted_method`: what a method that fits itself has to keep, ours or yours."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from postclick.data.arrays import RowArrays
from postclick.data.batch import Batch
from postclick.data.folds import PartOfTraining
from postclick.data.prepared import PreparedLog
from postclick.methods.base import Method, Prediction
from postclick.methods.fitted import FittedMethod, Fitting, Tensors
from postclick.methods.members import Member
from postclick.nn.config import NetworkConfig
from postclick.progress import Silent
from postclick.testing.fake_log import fake_log

ROWS = 1_000


class Interrupted(Exception):
    """Stands for the kill of a process after a stage."""


class TrainingSplitOnly(PreparedLog):
    """A prepared log of which nothing but training and validation rows can be read."""

    def rows(self, name: str) -> RowArrays:
        return super().rows(self._allowed(name))

    def windows(self, name: str, order: list[int] | None = None) -> Iterator[RowArrays]:
        return super().windows(self._allowed(name), order)

    def _allowed(self, name: str) -> str:
        assert name in ("train", "valid"), f"fit reads the {name} split"
        return name


class Stages:
    """Stages of a fit, kept in memory; a kill after so many can be had."""

    def __init__(self, kept: dict[str, Tensors] | None = None, killed_after: int = -1) -> None:
        self.kept = {} if kept is None else kept
        self.computed: list[str] = []
        self._left = killed_after

    def __call__(self, name: str, compute: Callable[[], Tensors]) -> Tensors:
        if name not in self.kept:
            if self._left == 0:
                raise Interrupted(name)
            self._left -= 1
            # As a file gives them back.
            self.kept[name] = load(save({n: t.contiguous() for n, t in compute().items()}))
            self.computed.append(name)
        return self.kept[name]


# Trains a member of a method on a log, with a seed.
TrainOn = Callable[[Member, PreparedLog, int], Method[Any]]


def check_fitted_method(
    method: type[FittedMethod[Any]],
    *,
    options: Sequence[dict[str, Any]] = ({},),
    train_member: TrainOn | None = None,
) -> dict[str, int]:
    """Check everything that postclick expects of a method that fits itself, on tiny logs.

    It fits to the same bits again, also after a kill at the end of any stage; it reads no test
    row; what it has fitted can be saved and loaded; it predicts probabilities, of unseen values
    too; and pCVR does not depend on an exposure.

    Args:
        method: the class.
        options: sets of options to check it with.
        train_member: trains a member on a log, with a seed, the same to the same bits; for a
            method that has members.

    Returns:
        How many things each property has compared.

    Raises:
        AssertionError: a property does not hold.
    """
    compared: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        logs = {
            "plain": fake_log(Path(folder) / "plain", ROWS),
            "exposed": fake_log(Path(folder) / "exposed", ROWS, exposure="slot"),
        }
        for given in options:
            for name, log in logs.items():
                only = TrainingSplitOnly(log.folder)
                for what, count in _Checked(method, given, only, train_member).on(name):
                    compared[what] = compared.get(what, 0) + count
    return compared


@dataclass(frozen=True)
class _Checked:
    """A method with some options, on a log."""

    method: type[FittedMethod[Any]]
    options: dict[str, Any]
    log: PreparedLog
    train_member: TrainOn | None

    def on(self, name: str) -> Iterator[tuple[str, int]]:
        """What has been compared on the log called `name`, and how often."""
        log, where = self.log, f"{self.method.name} {self.options} on the {name} log"
        stages = Stages()
        fitted = self.fit(stages)
        weights = fitted.state_dict()
        again = self.fit(Stages()).state_dict()
        assert all(torch.equal(weights[n], again[n]) for n in weights), (
            f"{where}: one seed, two fits"
        )
        yield "one seed, one fit", len(weights)
        for kills in range(1, len(stages.computed)):
            kept: dict[str, Tensors] = {}
            try:
                self.fit(Stages(kept, killed_after=kills))
            except Interrupted:
                resumed = self.fit(Stages(kept)).state_dict()
                same = all(torch.equal(weights[n], resumed[n]) for n in weights)
                assert same, f"{where}: other weights after a kill at stage {kills}"
        yield "goes on after a kill", len(stages.computed)
        loaded = self.made()
        loaded.load_state_dict(load(save({n: t.contiguous() for n, t in weights.items()})))
        batch = next(iter(log.sequential("valid", 500)))[0]
        assert _same(fitted.predict(batch), loaded.eval().predict(batch)), f"{where}: loaded"
        yield "saved and loaded", len(batch)
        for rows in (batch, _unseen(batch, log)):
            prediction = fitted.predict(rows)
            for logit in (prediction.ctr, prediction.cvr):
                p = logit.double().sigmoid()
                assert ((p > 0) & (p < 1)).all(), f"{where}: a probability beyond (0, 1)"
        assert fitted.predict(batch).cvr.std() > 0, f"{where}: pCVR is constant"
        yield "predicts probabilities", 2 * len(batch)
        if batch.exposure is not None:
            yield "exposure moves clicks alone", _exposure(fitted, batch, where)

    def made(self) -> FittedMethod[Any]:
        config = self.method.Config.parse(self.method.name, self.options)
        return self.method(config, NetworkConfig(), self.log.inputs, self.log.base_rates, 4)

    @torch.no_grad()
    def fit(self, stage: Stages) -> FittedMethod[Any]:
        made = self.made()
        fitting = Fitting(self.log, stage, threads=1, seed=0, reporter=Silent())
        if self.train_member is not None:
            fitting = replace(fitting, member=partial(self._member, made.config))
        made.fit(fitting)
        return made.eval()

    def _member(
        self, config: Any, number: int, part: PartOfTraining | None = None, **options: Any
    ) -> Method[Any]:
        assert self.train_member is not None
        member = self.method.members_of(config)[number]
        if options:
            member = member.model_copy(update={"options": {**member.options, **options}})
        with torch.enable_grad():
            return self.train_member(member, self.log if part is None else part, number)


def _exposure(fitted: FittedMethod[Any], batch: Batch, where: str) -> int:
    """pCVR is the same at any exposure, to the bit, and pCTR is not."""
    found = [
        fitted.predict(Batch(**{**vars(batch), "exposure": torch.full_like(batch.ids[:, 0], at)}))
        for at in (1, 2)
    ]
    assert torch.equal(found[0].cvr, found[1].cvr), f"{where}: pCVR reads the exposure"
    assert not torch.equal(found[0].ctr, found[1].ctr), f"{where}: pCTR does not"
    return len(batch)


def _unseen(batch: Batch, log: PreparedLog) -> Batch:
    """The same rows with values that training never saw: row 0 of every field."""
    sizes = torch.tensor([0, *log.inputs.field_sizes[:-1]])
    return Batch(**{**vars(batch), "ids": sizes.cumsum(0).expand_as(batch.ids)})


def _same(a: Prediction, b: Prediction) -> bool:
    pairs: list[tuple[Tensor, Tensor]] = [(a.ctr, b.ctr), (a.cvr, b.cvr)]
    return all(torch.equal(x, y) for x, y in pairs)
