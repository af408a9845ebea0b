"""Every method becomes an ONNX graph that predicts what torch does, and a bundle or nothing."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from helpers.commands import run, succeed
from helpers.foreign_backbone import FOREIGN, Gated
from methods.helpers import BACKBONES, INPUTS, RATES, TINY
from postclick import export, extras
from postclick.data.lookup.encoded_rows import Layout
from postclick.data.lookup.row_arrays import batch_of
from postclick.data.prepared import InputSpec
from postclick.errors import InputError
from postclick.methods import METHODS, Method
from postclick.methods.networks.linear_heads import LinearHeads
from postclick.nn.config import NetworkConfig
from postclick.runs.run import Run
from postclick.serving.bundle import graph
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.bundle.bundle_files import BundleInfo, write_info
from postclick.serving.bundle.column_owners import owners_of
from postclick.serving.bundle.graph import export_graph
from postclick.serving.bundle.onnx_model import OnnxModel
from postclick.serving.bundle.parity import measure_parity, random_rows

# One with pCTCVR of its own, one with two students, one with a second embedding table.
QUICK = (("aitm", "share_bottom"), ("ukd", "mmoe"), ("dr_jl", "share_bottom"), ("esmm", "ple"))
NETWORKS: dict[str, dict[str, Any]] = {
    "bottom": {"bottom": (5,), "backbone": "share_bottom"},
    "batch norm": {"batch_norm": True, "dropout": 0.3},
    "numbers as a field": {"numeric": "project"},
    "no tower": {"tower": ()},
    "full cross network in parallel": {"backbone": "dcn_v2", "structure": "parallel"},
    "cross network of rank 2": {"backbone": "dcn_v2", "cross_rank": 2, "deep": ()},
    "three levels": {"backbone": "ple", "levels": 3},
}
SPECS = {
    "ids alone": InputSpec((4, 5), (), 0),
    "numbers alone": InputSpec((), (), 3),
    "lists alone": InputSpec((), (6, 3), 0),
    "one field": InputSpec((9,), (), 1),
}


def make(name: str, inputs: InputSpec = INPUTS, **network: Any) -> Method[Any]:
    """A method with weights, and batch norm statistics, far from where training starts."""
    method = METHODS[name]
    torch.manual_seed(0)
    config = NetworkConfig.model_validate({**TINY, **network})
    made = method(method.Config.parse(name, {}), config, inputs, RATES, 4).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.4)
        for key, buffer in made.named_buffers():
            if buffer.is_floating_point():
                buffer.add_(torch.rand_like(buffer) if "var" in key else torch.randn_like(buffer))
    return made


def layout(inputs: InputSpec) -> Layout:
    sizes = len(inputs.field_sizes), inputs.numerics, len(inputs.bag_sizes)
    kinds = zip(("id", "number", "bag"), sizes, strict=True)
    ids, numbers, bags = (tuple(f"{kind}_{k}" for k in range(size)) for kind, size in kinds)
    elements = (f"vector_{k}" for k, (size, _) in enumerate(inputs.vectors) for _ in range(size))
    return Layout(ids, (*numbers, *elements), bags)


def check(
    method: Method[Any], inputs: InputSpec, folder: Path, user: frozenset[str] = frozenset()
) -> OnnxModel:
    """Export, and compare; nothing that serving does not need is written."""
    names = layout(inputs)
    prediction = method.predict(batch_of(random_rows(inputs, names, 5, _rng()), inputs))
    logits = [logit for logit in prediction[:3] if logit is not None]
    torch.stack(logits).sum().backward()
    used = sum(p.numel() for p in method.parameters() if p.grad is not None)
    outputs = ("ctr", "cvr", "log_ctcvr")[: len(logits)]
    export_graph(method, inputs, owners_of(names, user), outputs, folder / "model.onnx")
    model = OnnxModel(folder / "model.onnx", user_features=user)
    assert model.outputs == outputs
    assert measure_parity(method, inputs, names, model).largest_difference < 1e-5
    written = onnx.load(folder / "model.onnx")
    floats = [t for t in written.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    buffers = sum(b.numel() for b in method.buffers())
    squares = sum(m.slopes.numel() for m in method.modules() if isinstance(m, LinearHeads))
    most = used + buffers + squares + 99  # squares of slopes are written beside them
    assert sum(onnx.numpy_helper.to_array(t).size for t in floats) <= most
    assert not any(node.metadata_props for node in written.graph.node)
    return model


def _rng() -> Any:
    import numpy as np

    return np.random.default_rng(1)


NOBODY: frozenset[str] = frozenset()
USER = frozenset({"id_1", "number_0", "bag_0"})


@pytest.mark.parametrize(
    ("name", "backbone", "user"),
    [pytest.param(*case, USER) for case in QUICK[1:]]
    + [pytest.param(*case, NOBODY) for case in QUICK]
    + [("naive", "dcn_v2", USER)]
    # The others with a user or without: either half of the methods on each backbone.
    + [
        pytest.param(name, backbone, (NOBODY, USER)[(k + b) % 2], marks=pytest.mark.slow)
        for k, name in enumerate(METHODS)
        for b, backbone in enumerate(BACKBONES)
        if (name, backbone) not in QUICK
    ],
)
def test_every_method(name: str, backbone: str, user: frozenset[str], tmp_path: Path) -> None:
    """Rows with users of their own, and with one user of all: `check` compares both with torch."""
    model = check(make(name, backbone=backbone), INPUTS, tmp_path, user)
    inputs = {value.name for value in onnx.load(tmp_path / "model.onnx").graph.input}
    assert ({"user_ids", "user_numeric", "user_bag_0"} <= inputs) == bool(user)
    rows = random_rows(INPUTS, layout(INPUTS), 1300, _rng())
    for found, whole in zip(model.run(rows), model.run_at_once(rows), strict=True):
        assert abs(found - whole).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ["esmm", "ddpo"])
def test_other_networks(name: str, network: str, tmp_path: Path) -> None:
    check(make(name, **NETWORKS[network]), INPUTS, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_other_inputs(spec: str, tmp_path: Path) -> None:
    model = check(make("esmm", SPECS[spec]), SPECS[spec], tmp_path)
    rows = random_rows(SPECS[spec], layout(SPECS[spec]), 700, _rng())
    whole = model.run_at_once(rows)
    for found, expected in zip(model.run(rows), whole, strict=True):
        assert abs(found - expected).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "user"),
    [
        ("bottom", {"id_0"}),
        ("no tower", {"number_0"}),
        ("batch norm", {"bag_0", "bag_1"}),
        ("numbers as a field", {"id_0", "bag_1"}),
        ("full cross network in parallel", {"id_0"}),
    ],
)
def test_other_users(network: str, user: set[str], tmp_path: Path) -> None:
    check(make("ddpo", **NETWORKS[network]), INPUTS, tmp_path, frozenset(user))


ATTENDED = InputSpec((7, 5, 4), (6, 9, 3), 2, (1, None, 2))


@pytest.mark.parametrize(
    ("network", "user"),
    [
        ("numbers as a field", ()),
        ("batch norm", ("bag_0",)),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("bottom", ("bag_0", "id_0", "bag_1")),
                ("bottom", ("bag_0", "id_1")),
                ("bottom", ("id_1", "number_0")),
                ("numbers as a field", ("bag_0", "bag_2", "id_2")),
                ("cross network of rank 2", ("bag_0", "id_0")),
            )
        ),
    ],
)
def test_lists_that_are_attended(network: str, user: tuple[str, ...], tmp_path: Path) -> None:
    """Whether list and target are both the user's, both the candidates', or one of each."""
    check(make("esmm", ATTENDED, **NETWORKS[network]), ATTENDED, tmp_path, frozenset(user))


def test_a_backbone_of_somebody_elses(tmp_path: Path) -> None:
    """It looks into its input, and is given it whole."""
    check(make("ddpo", backbone=FOREIGN), INPUTS, tmp_path, USER)


def test_one_that_cannot_be_exported_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Gated.forward

    def branching(self: Gated, x: torch.Tensor) -> list[torch.Tensor]:
        return plain(self, x + 1 if x.sum() > 0 else x)

    monkeypatch.setattr(Gated, "forward", branching)
    with pytest.raises(InputError, match=r"esmm on backbone .*:Gated cannot be .* ONNX: ") as error:
        check(make("esmm", backbone=FOREIGN), INPUTS, tmp_path)
    assert "\n" not in str(error.value)


def test_too_many_rows_for_int32(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2,147,483,650 embedding rows are more than int32"):
        inputs = InputSpec((2**31 - 1, 3), (), 0)
        graph.ServingGraph(
            make("naive", SPECS["ids alone"]), inputs, owners_of(layout(inputs), frozenset())
        )


def test_the_command(mixed_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    lines = succeed("export", mixed_run.folder, "--out", out).splitlines()
    assert lines[0].startswith(f"{out}: esmm, 8 files, ")
    assert lines[0].endswith("MB, calibration: none")
    assert lines[1].startswith("largest difference of a probability to torch: ")
    info = Bundle.open(out).info
    assert info.metrics == mixed_run.metrics and info.metrics["test"]["metrics"]
    assert info.settings == mixed_run.settings.model_dump(mode="json")
    assert info.calibration is None and info.ctr_shift == 0.0
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert names == {*info.files, "bundle.json"}
    again = run("export", mixed_run.folder, "--out", out)
    assert again.code == 2 and again.err.endswith("exists: name another --out, or remove it\n")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_user_apart(mixed_run: Run, tmp_path: Path) -> None:
    done = run(
        "export", mixed_run.folder, "--out", tmp_path / "b", "--user-features", "spend,history"
    )
    assert done.code == 0
    assert Bundle.open(tmp_path / "b").info.user_features == ("history", "spend")
    info = json.loads((tmp_path / "b" / "bundle.json").read_text())
    write_info(
        tmp_path / "b",
        BundleInfo.model_validate(
            {**{k: v for k, v in info.items() if k != "checksum"}, "user_features": ["spend"]}
        ),
    )
    with pytest.raises(InputError, match=r"model.onnx is another model: export the run again"):
        Bundle.open(tmp_path / "b")


def test_large_tables_lie_beside_the_model(
    mixed_run: Run, mixed_bundle: Bundle, mixed_raw: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(graph, "LARGEST_FILE", 0)
    printed = json.loads(succeed("export", mixed_run.folder, "--out", tmp_path / "b", "--json"))
    assert printed["method"] == "esmm" and printed["parity"]["rows"] == [1, 7, 1000]
    bundle = Bundle.open(tmp_path / "b")
    assert "model.onnx.data" in bundle.info.files
    assert bundle.score(mixed_raw[1]).equals(mixed_bundle.score(mixed_raw[1]))
    data = tmp_path / "b" / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"model.onnx.data was changed"):
        Bundle.open(tmp_path / "b")


@pytest.mark.parametrize("limit", [-1.0, float("nan")])
def test_a_model_that_differs_is_not_written(
    mixed_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    monkeypatch.setattr("postclick.serving.bundle.export.LIMIT", limit)
    with pytest.raises(InputError, match="the exported model differs from torch by") as error:
        export(mixed_run, tmp_path / "bundle")
    assert "\n" not in str(error.value) and list(tmp_path.iterdir()) == []


def test_nothing_stays_when_writing_fails(
    mixed_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("postclick.serving.bundle.export.export_graph", full)
    with pytest.raises(InputError, match="bundle cannot be written: No space left on device"):
        export(mixed_run, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_what_is_needed_is_said(
    mixed_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="is not a finished run"):
        export(tmp_path, tmp_path / "bundle")
    for rate in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match=f"negative_rate is {rate}: give a share above 0"):
            export(mixed_run, tmp_path / "bundle", negative_rate=rate)
    with pytest.raises(InputError, match="no feature 'zodiac' of the user; it has user, shop"):
        export(mixed_run, tmp_path / "bundle", user_features=["age", "zodiac"])
    everything = ["user", "shop", "size", "Grün/é", "price", "spend", "age", "history", "tags"]
    with pytest.raises(InputError, match="every feature is the user's: leave those of"):
        export(mixed_run, tmp_path / "bundle", user_features=everything)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"export needs onnx: pip install 'postclick\[export\]'"):
        export(mixed_run, tmp_path / "bundle")
