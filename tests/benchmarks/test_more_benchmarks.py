"""Each benchmark runs from end to end on a few rows and says what it should."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from postclick.experiments.comparison.plan import Plan
from postclick.losses import weighted_sum
from postclick.methods.base import Labels, Step
from postclick.nn.backbones import BACKBONES
from postclick.runs.build import build_method

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(script: str, *arguments: object) -> dict[str, Any]:
    """The last line of what it prints."""
    command = [sys.executable, BENCHMARKS / script, *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def evi(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module plain_evi; the benchmarks import each other by their bare names."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import plain_evi

    return plain_evi


@pytest.mark.slow
def test_backbones_are_compared_over_seeds() -> None:
    found = run("backbone_quality.py", "--rows", 6000, "--seeds", 2, "--logs", "confounded")
    assert set(found["lines"]) == {
        f"confounded {m}" for m in ("ctr_auc", "cvr_auc", "true_cvr_auc")
    }
    for line in found["lines"].values():
        assert set(line) == set(BACKBONES)
        assert 0.4 < float(line["share_bottom"]) < 1
        assert all("p " in line[name] for name in BACKBONES if name != "share_bottom")


@pytest.mark.slow
def test_methods_cost() -> None:
    found = run(
        "methods.py",
        "--rows",
        6000,
        "--rounds",
        1,
        "--evi-rows",
        0,
        "--methods",
        "choruscvr",
        "ukd",
    )
    methods = found["methods"]
    assert set(methods) == {"esmm", "choruscvr", "ukd"}
    assert methods["esmm"]["cost_over_esmm"] == 1
    assert {name: entry["passes"] for name, entry in methods.items()} == {
        "esmm": 1,
        "choruscvr": 1,
        "ukd": 2,
    }
    assert all(entry["us_per_row"] > 0 for entry in methods.values())
    assert found["evi"] is None
    assert found["backbone"] == "share_bottom"


@pytest.mark.slow
def test_every_backbone_is_measured() -> None:
    sides = run("backbones.py", "--steps", 1)["sides"]
    assert set(BACKBONES) - {"share_bottom"} < set(sides)
    assert sides["mmoe, torch's dropout"]["over"] == "mmoe"
    for side in sides.values():
        assert (
            min(side[n] for n in ("cost", "ms_per_step", "ms_of_the_other", "rows_per_second")) > 0
        )


@pytest.mark.slow
def test_evi_beside_a_plain_one() -> None:
    found = run("plain_evi.py", "--rows", 8000, "--rounds", 1)
    assert found["postclick_rows_per_second"] >= found["postclick_call_rows_per_second"] > 0
    assert found["plain_rows_per_second"] > 0
    assert found["ratio"] > 0
    assert found["call_ratio"] > 0


@pytest.mark.slow
def test_exact_auc() -> None:
    found = run("exact_auc.py", "--rows", 20_000, "--rounds", 2)
    assert found["difference"] <= 1e-12
    assert found["ratio"] > 0
    assert set(found["sides"]) == {"postclick", "scikit-learn"}


@pytest.mark.slow
def test_rowwise_adam() -> None:
    found = run("rowwise_adam.py", "--table", 5000, "--rounds", 1, "--steps", 6)
    ours = {"RowwiseAdam sparse", "RowwiseAdam lazy", "RowwiseAdam exact"}
    assert set(found["sides"]) == {"torch SparseAdam", "torch Adam, dense", *ours}
    assert all(side["ms_per_step"] > 0 for side in found["sides"].values())
    assert found["sides"]["torch SparseAdam"]["sparse_adam_over_this"] == 1
    assert found["sides"]["torch Adam, dense"]["dense_adam_over_this"] == 1
    assert found["off"].keys() == {"RowwiseAdam sparse", "RowwiseAdam exact"}
    assert max(found["off"].values()) <= 1e-5


def test_rowwise_adam_wants_steps_to_time() -> None:
    with pytest.raises(AssertionError, match="--steps must be more than the 5"):
        run("rowwise_adam.py", "--steps", 5)


@pytest.mark.slow
def test_streaming() -> None:
    found = run("streaming.py", "--rows", 65_536, "--rounds", 1)
    assert found["rows"] == 65_536
    assert found["two_shards_bytes"] < found["cap_bytes"] == found["log_bytes"] // 4
    assert set(found["sides"]) == {"memory", "streamed", "control"}
    assert all(side["peak_mb"] > 0 for side in found["sides"].values())
    assert found["first_epoch_ratio"] > 0 and found["next_epoch_ratio"] > 0


@pytest.mark.slow
def test_prepare() -> None:
    found = run("prepare.py", "--rows", 4000, "--rounds", 1)
    assert set(found["sides"]) == {"postclick.prepare", "polars.read_csv"}
    assert found["csv_bytes"] > 4000 * 25 * 2
    assert found["ratio"] > 0


@pytest.mark.slow
def test_startup() -> None:
    found = run("startup.py", "--rounds", 1)["commands"]
    assert found["python -c pass"]["over_bare_s"] == 0
    assert found["postclick --help"]["seconds"] > found["python -c pass"]["seconds"] > 0


@pytest.mark.slow
def test_quality() -> None:
    found = run("quality.py", "--rows", 8000, "--seeds", 1)["results"]
    assert len(found) == 2 * 3 * 3
    assert all(0 < entry["mean"] < 1 for entry in found.values())
    exact = [entry for name, entry in found.items() if name.endswith(" exact_adam")]
    assert [entry["difference"] for entry in exact] == [0] * 6
    assert any(entry["largest"] for entry in found.values())


@pytest.mark.slow
def test_workers() -> None:
    found = run(
        "workers.py", "--rows", 6000, "--seeds", 1, "--epochs", 1, "--methods", "naive", "esmm"
    )
    assert found["runs"] == 2
    assert len(found["sides"]) == 3
    assert found["sides"]["compare"]["compare_over_this"] == 1
    assert all(side["seconds"] > 0 for side in found["sides"].values())


@pytest.mark.slow
def test_scaling(tmp_path: Path) -> None:
    page = tmp_path / "scaling.html"
    sizes = ("--rows", 4096, "--rounds", 1, "--factors", "rows", "dim", "heads", "batch")
    found = run("scaling.py", *sizes, "--plot", page)["factors"]
    assert list(found) == ["rows", "dim", "heads", "batch"]
    assert all(len(f["values"]) == len(f["cost"]) >= 4 for f in found.values())
    assert found["dim"]["cost"][found["dim"]["values"].index("16")] == 1  # the base itself
    assert found["heads"]["exponent"] is None
    assert math.isfinite(found["batch"]["exponent"])
    text = page.read_text(encoding="utf-8")
    assert "Training cost of a row" in text and '<script src="http' not in text


def test_scaling_refuses_other_plots(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"ends in \.html or \.svg"):
        run("scaling.py", "--plot", tmp_path / "scaling.png")


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


@pytest.mark.slow
def test_scoring() -> None:
    found = run("scoring.py", "--rows", 3000, "--rounds", 1, "--ids", "dense", "text")
    assert found["rows"] == 3000 and set(found["ids"]) == {"dense", "text"}
    for sides in found["ids"].values():
        assert sides["model"]["over_model"] == 1
        assert all(sides[side]["rows_per_s"] > 0 for side in ("score", "encode", "read"))
        request = sides["request"]
        assert 0 < request["encode_p50"] < request["rows_p50"] <= request["rows_p99"]
        assert 0 < request["network_p50"] < request["apart_p50"]


@pytest.mark.slow
def test_shared_machine_has_every_state() -> None:
    found = run("shared_machine.py", "--rows", 9000, "--peer-rows", 5000, "--rounds", 1)
    ours = {
        f"{side}, {busy} busy"
        for side in ("postclick", "postclick threads=1")
        for busy in (0, 1, 2)
    }
    assert ours <= set(found["sides"])
    assert set(found["sides"]) - ours <= {f"torch-rechub, {busy} busy" for busy in (0, 1, 2)}
    for name, entry in found["sides"].items():
        assert all(entry[f"pass {k}"] > 0 for k in (1, 2, 3))
        assert entry["over idle"] == 1 or not name.endswith(", 0 busy")


@pytest.mark.slow
def test_the_entire_space_is_held_against_the_truth() -> None:
    found = run(
        *("entire_space.py", "--draws", 2, "--rows", 4000),
        *("--worlds", "confounded", "hidden", "--clips", 0.01),
    )
    assert found["draws"] == 2
    by_world = dict.fromkeys(("confounded", "hidden"), 0)
    for one in found["results"]:
        by_world[one["world"]] += 1
        assert 0 <= one["held"] <= 1
        assert math.isfinite(one["mean"])
    # Four figures of clicks; of three propensities four by two estimators, and five of balance.
    assert by_world == {"confounded": 4 + 3 * (8 + 5), "hidden": 4 + 3 * (8 + 5)}


def test_coverage_falls_by_rows_and_holds_by_group() -> None:
    found = run("interval_coverage.py", "--draws", 60, "--rows", 1500)
    assert set(found["coverage"]) == {"1", "5", "50"}
    for figure in ("AUC difference", "NLL difference", "PCOC"):
        by_rows, by_group = (found["coverage"]["50"][how][figure] for how in ("rows", "group"))
        assert by_rows < by_group - 0.05
        assert by_group > 0.75
        assert found["coverage"]["1"]["rows"][figure] > 0.85
