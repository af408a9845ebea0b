"""The plain EVI that postclick's is timed beside is the same model, on workloads with a signal."""

from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.benchmarks import BENCHMARKS, run
from postclick.experiments.comparison.plan import Plan
from postclick.losses import weighted_sum
from postclick.methods.base import Labels, Step
from postclick.runs.build import build_method


@pytest.fixture
def evi(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module plain_evi; the benchmarks import each other by their bare names."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import plain_evi

    return plain_evi


@pytest.mark.slow
def test_evi_beside_a_plain_one() -> None:
    found = run("plain_evi.py", "--rows", 8000, "--rounds", 1)
    assert found["postclick_rows_per_second"] >= found["postclick_call_rows_per_second"] > 0
    assert found["plain_rows_per_second"] > 0
    assert found["ratio"] > 0
    assert found["call_ratio"] > 0


@pytest.mark.parametrize("name", ["write_workload", "write_workload_a"])
def test_workloads_have_a_signal(evi: Any, tmp_path: Path, name: str) -> None:
    import workload

    log = getattr(workload, name)(tmp_path / "log", 3000, 2000)
    known = {"write_workload": workload.WORKLOAD_B, "write_workload_a": workload.WORKLOAD_A}[name]
    assert log.inputs.field_sizes == known.sizes
    assert log.inputs.numerics == known.numerics
    rows = log.rows("train")
    offsets = torch.tensor([0, *known.sizes]).cumsum(0)
    assert (rows.ids >= offsets[:-1]).all() and (rows.ids < offsets[1:]).all()
    assert 0.02 < log.base_rates.ctr < 0.15
    assert log.base_rates.cvr > log.base_rates.ctr
    assert (rows.conversion <= rows.click).all()
    if known.numerics:
        assert rows.numeric.mean().abs() < 0.01
        assert abs(float(rows.numeric.std()) - 1) < 0.01
        # A linear fit on the numbers alone has to find the planted effect.
        fit = torch.linalg.lstsq(rows.numeric, rows.click.unsqueeze(1)).solution
        held_out = log.rows("test")
        score = (held_out.numeric @ fit).squeeze(1)
        assert score[held_out.click == 1].mean() > score[held_out.click == 0].mean()


def test_plain_evi_is_the_same_model(evi: Any, tmp_path: Path) -> None:
    """With the weights of postclick's EVI it has the same heads and the same loss."""
    from workload import write_workload_a

    log = write_workload_a(tmp_path / "log", 1500, 1000)
    (job,) = Plan.make(["evi"], 1, evi.SETTINGS, backbone="mmoe").jobs
    method = build_method(job.settings, log).eval()
    plain = evi.PlainEvi(log.inputs).eval()
    _copy(method, plain)
    rows = log.rows("train")
    batch = rows.take(torch.arange(1500))
    ids = batch.ids - torch.tensor([0, *log.inputs.field_sizes[:-1]]).cumsum(0)
    outputs, terms = method.loss(batch, Step())
    logits, _ = plain(ids, batch.numeric)
    assert list(logits) == list(outputs.logits)
    for head, logit in logits.items():
        torch.testing.assert_close(logit, outputs.logits[head], rtol=1e-4, atol=1e-5)
    loss = plain.loss(ids, batch.numeric, *Labels.of(batch))
    assert loss.isfinite()
    assert {name: term.weight for name, term in terms.items()} == evi.WEIGHTS
    assert loss.item() == pytest.approx(weighted_sum(terms).item(), 1e-5)
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in method.parameters())


@torch.no_grad()
def _copy(method: Any, plain: Any) -> None:
    """Weights of postclick's EVI into the plain one, whose matrices are in pieces."""

    def fill(layer: Any, weight: torch.Tensor, bias: torch.Tensor) -> None:
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)

    def fill_experts(pieces: Any, weight: torch.Tensor, bias: torch.Tensor) -> None:
        layers = [*pieces.experts, *pieces.gates]
        sizes = [layer.out_features for layer in layers]
        for layer, w, b in zip(layers, weight.split(sizes), bias.split(sizes), strict=True):
            fill(layer, w, b)

    def fill_tower(tower: Any, head: Any) -> None:
        for layer, known in zip(tower.layers, head.tower.linear, strict=True):
            fill(layer, known.weight, known.bias)
        fill(tower.last, head.last.weight, head.last.bias)

    embedding = method.embedding
    sizes = [table.num_embeddings for table in plain.tables]
    for table, part in zip(plain.tables, embedding.table.split(sizes), strict=True):
        table.weight.copy_(part)
    fill(plain.numbers, embedding.project.weight, embedding.project.bias)
    shared, own = method.net.backbone.layer, method.teacher.backbone.layer
    fill_experts(plain.shared, shared.weight, shared.bias)
    fill_experts(plain.own, own.weight.flatten(1), own.bias)
    fill(plain.condition, own.project.weight, own.project.bias)
    fill_tower(plain.ctr, method.net.heads["ctr"])
    fill_tower(plain.cvr, method.net.heads["cvr"])
    fill_tower(plain.teacher, method.teacher.head)
    for guess, known in zip(plain.guess, method.vie.mean, strict=True):
        fill(guess, known.weight, known.bias)
    for rho, known in zip(plain.rho, method.vie.rho, strict=True):
        rho.copy_(known)
