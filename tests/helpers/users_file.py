"""A file as a user of postclick writes it: `tests/test_wheel.py` has mypy check it, strictly.

Nothing of it is ever called.
"""

from pathlib import Path
from typing import assert_type, reveal_type

import torch
from torch import Tensor, nn

import postclick
from postclick.experiments.comparison.results import Comparison
from postclick.losses import Term, Terms, cross_entropy, mean_clicked, mean_entire
from postclick.methods.base import Labels, Method, MethodConfig, Outputs, Weight
from postclick.metrics import auc
from postclick.optim import RowwiseAdam


class HalfConfig(MethodConfig):
    """`half`: the weight of unclicked impressions."""

    half: float = Weight


class Half(Method[HalfConfig]):
    """A method of one's own."""

    name = "half"
    summary = "clicked impressions, and half of the others"
    reference = "nobody"
    expect = "nothing"
    Config = HalfConfig

    @staticmethod
    def terms(config: HalfConfig, outputs: Outputs, labels: Labels) -> Terms:
        loss = cross_entropy(outputs.logits["cvr"], labels.conversion)
        assert_type(loss, Tensor)
        return {
            "ctr": Term(
                mean_entire(cross_entropy(outputs.logits["ctr"], labels.click)), 1.0, "entire"
            ),
            "cvr": Term(mean_clicked(loss, labels.click), config.half, "clicked"),
        }


def train_and_compare(folder: Path) -> float | None:
    try:
        run = postclick.train(folder / "data", "esmm", folder / "run", seed=1)
    except postclick.InputError as error:
        raise SystemExit(str(error)) from None
    assert_type(run, postclick.Run)
    comparison = postclick.compare(folder / "data", ["naive", "esmm"], folder / "results", seeds=2)
    assert_type(comparison, Comparison)
    log = postclick.PreparedLog(folder / "data")
    assert_type(log.base_rates.ctr, float)
    return auc([0.1, 0.9], [0, 1])


def own_loop() -> Tensor:
    table = nn.EmbeddingBag(100, 8, sparse=True)
    optimizer = RowwiseAdam(table.parameters(), lr=0.01, mode="exact")
    optimizer.attach(table)
    optimizer.step()
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    schedule.step()
    loss = mean_entire(cross_entropy(table(torch.tensor([[1, 2]])).sum(1), torch.ones(1)))
    return assert_type(loss, Tensor)


def revealed() -> None:
    reveal_type(postclick.train)
    reveal_type(postclick.compare)
    reveal_type(RowwiseAdam.step)
    reveal_type(cross_entropy)
    reveal_type(auc)
