"""The logit of a mean of probabilities, against 80 digits, and in a graph."""

from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from postclick.mean_logit import mean_logit

LOGITS = [[-200.0, -150.0], [200.0, 150.0], [-80.0, -90.0], [0.0, 1.0], [-200.0, 0.0]]
SHARES = [0.25, 0.75]


def expected(logits: list[float]) -> float:
    with localcontext() as context:
        context.prec = 200
        odds = [Decimal(z).exp() for z in logits]
        shares = [Decimal(share) for share in SHARES]
        yes = sum(w * o / (1 + o) for w, o in zip(shares, odds, strict=True))
        no = sum(w / (1 + o) for w, o in zip(shares, odds, strict=True))
        return float((yes / no).ln())


class Mean(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return mean_logit(logits, torch.tensor(SHARES).log())


def test_it_is_that_of_the_mean_at_any_logit() -> None:
    found = Mean()(torch.tensor(LOGITS))
    assert found.tolist() == pytest.approx([expected(row) for row in LOGITS], rel=1e-6)


def test_a_graph_says_the_same(tmp_path: Path) -> None:
    """ln sigma alone is infinite there, beyond +-88."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    rows = torch.tensor(LOGITS)
    mean = Mean().eval()
    program = torch.onnx.export(mean, (rows,), dynamo=True, input_names=["z"], verbose=False)
    program.save(tmp_path / "mean.onnx")
    (found,) = runtime.InferenceSession(tmp_path / "mean.onnx").run(None, {"z": rows.numpy()})
    np.testing.assert_allclose(found, mean(rows), rtol=1e-5)
