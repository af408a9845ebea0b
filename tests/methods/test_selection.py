"""`selection`: its loss by hand, the dependence it finds, and that what it serves is its model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline
from scipy.special import expit

import postclick
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.losses import row_weights
from postclick.methods import Labels, Outputs, Selection
from postclick.runs.run import Run
from postclick.testing import check_fitted_method, make_method
from postclick.testing.cases import Case
from postclick.testing.reference_check import Array, equals_reference

from .selection_log import frame, prepared

S = 1.5


def reference(
    logits: dict[str, Array], click: Array, conversion: Array, frozen: Any, **options: Any
) -> dict[str, float]:
    """The likelihood of all impressions, split at the click, in plain probabilities."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    weights = weights / weights.sum()
    s = options.get("dependence")
    s = logits["dependence"] if s is None else np.full(click.size, s)
    p = expit(logits["ctr"][:, None] + nodes)
    q = expit(logits["cvr"][:, None] + s[:, None] * nodes)
    clicked, yes = p @ weights, (p * q) @ weights
    of_click = click * np.log(clicked) + (1 - click) * np.log(1 - clicked)
    given = yes / clicked
    of_conversion = click * (conversion * np.log(given) + (1 - conversion) * np.log(1 - given))
    return {"ctr": -of_click.mean(), "cvr": -of_conversion.mean()}


@pytest.mark.parametrize("options", [{}, {"dependence": 0.0}, {"dependence": -1.2}])
def test_the_loss_is_the_likelihood(options: dict[str, Any]) -> None:
    assert equals_reference(Case(Selection, str(options), options), reference) > 0


def test_without_dependence_the_loss_is_naives_but_for_the_link_of_clicks() -> None:
    config = Selection.Config.parse("selection", {"dependence": 0.0})
    z = torch.tensor([-2.0, 0.0, 1.0], dtype=torch.float64)
    labels = Labels(torch.ones(3).double(), torch.tensor([1.0, 0.0, 1.0]).double())
    terms = Selection.terms(config, Outputs({"ctr": z, "cvr": -z}), labels)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(-z, labels.conversion)
    torch.testing.assert_close(terms["cvr"].value, plain, rtol=1e-12, atol=0)


def test_row_weights_repeat_rows() -> None:
    config = Selection.Config.parse("selection", {})
    rng = np.random.default_rng(0)
    z = {k: torch.from_numpy(rng.normal(size=6)) for k in ("ctr", "cvr", "dependence")}
    click = torch.tensor([1.0, 0, 1, 1, 0, 1]).double()
    labels = Labels(click, click * torch.tensor([1.0, 0, 0, 1, 0, 0]).double())
    counts = torch.tensor([2, 1, 0, 3, 1, 1])
    rows = torch.repeat_interleave(torch.arange(6), counts)
    with row_weights(counts.double()):
        weighted = Selection.terms(config, Outputs(z), labels)
    copies = Outputs({k: v[rows] for k, v in z.items()})
    repeated = Selection.terms(config, copies, Labels(*(x[rows] for x in labels)))
    for name, term in weighted.items():
        torch.testing.assert_close(term.value, repeated[name].value, rtol=1e-12, atol=0)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return prepared(frame(40_000, S), tmp_path_factory.mktemp("selection") / "data")


@pytest.fixture(scope="module")
def run(log: PreparedLog) -> Run:
    return postclick.train(log, "selection", log.folder.parent / "run")


def bias(run: Run, log: PreparedLog) -> float:
    found = run.evaluate(log, "test").metrics
    of = {(m.metric, m.space): m.value for m in found}
    truth = np.concatenate([window.truth["true_cvr"] for window in log.windows("test")])
    return of["cvr_bias", "entire"] / float(truth.mean())


def test_it_finds_the_dependence_and_the_level(log: PreparedLog, run: Run) -> None:
    found = run.load()
    assert isinstance(found, Selection)
    best, low, high, at_zero = found.get_buffer("dependence_interval").tolist()
    assert low < S < high
    assert abs(best - S) < 0.5
    assert at_zero > 10
    assert "s = 0 rejected; served is s = " in found.statement
    fixed = postclick.RunSettings.make("selection/no_dependence")
    without = postclick.train(log, fixed, log.folder.parent / "without")
    assert bias(without, log) > 0.25
    assert abs(bias(run, log)) < 0.5 * bias(without, log)


def test_a_prior_draws_what_is_served_towards_0(log: PreparedLog, run: Run, tmp_path: Path) -> None:
    """The mode of likelihood and prior, against brute force on a spline through the profile."""
    served = [run.explain().dependence.served]
    for variance in ("0.05", "null"):
        sets = [f"dependence_variance={variance}"]
        settings = postclick.RunSettings.make("selection", overrides=sets)
        one = postclick.train(log, settings, tmp_path / variance)
        assert one.explain().dependence.profile == run.explain().dependence.profile
        served.append(one.explain().dependence.served)
    found = run.explain().dependence.profile
    assert served[2] == pytest.approx(found.best)
    assert 0 < served[1] < served[0] < served[2]
    grid = np.linspace(0, found.best, 2001)
    curve = CubicSpline(found.at, found.loss)
    for s, variance in zip(served, (0.5, 0.05), strict=False):
        brute = grid[np.argmin(curve(grid) + grid**2 / (2 * variance))]
        assert s == pytest.approx(brute, abs=2e-3)
    # b is the mode at what is served, not at the best s.
    b = [one.load().state_dict()["embedding.table"][:, 1] for one in (run, one)]
    assert not torch.equal(*b)


def test_there_is_no_alarm_where_nothing_is_hidden(tmp_path: Path) -> None:
    log = prepared(frame(20_000, 0.0, seed=1), tmp_path / "data")
    found = postclick.train(log, "selection", tmp_path / "run").load()
    assert isinstance(found, Selection)
    assert "s = 0 not rejected" in found.statement
    _, low, high, _ = found.get_buffer("dependence_interval").tolist()
    assert low < 0 < high


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.9, 0.5, 1.3, 8.0), "dependence s = 0.90 (0.50 to 1.30), s = 0 rejected"),
        ((0.2, -0.5, 0.9, 0.3), "dependence s = 0.20 (-0.50 to 0.90), s = 0 not rejected"),
        (
            (4.0, 1.5, float("inf"), 9.0),
            "dependence s = 4.00 (1.50 to above 4), s = 0 rejected; the log does not bound it, "
            "see 'postclick sensitivity'",
        ),
        (
            (0.0, -float("inf"), 1.0, 0.0),
            "dependence s = 0.00 (below -3 to 1.00), s = 0 not rejected; the log does not bound "
            "it, see 'postclick sensitivity'",
        ),
    ],
)
def test_a_run_states_what_the_likelihood_says(interval: tuple[float, ...], words: str) -> None:
    method = make_method(Selection)
    assert isinstance(method, Selection)
    method.get_buffer("dependence_interval").copy_(torch.tensor(interval))
    with torch.no_grad():
        method.dependence.fill_(interval[0])
    assert method.statement == words
    with torch.no_grad():
        method.dependence.fill_(0.25)
    assert method.statement == f"{words}; served is s = 0.25"
    fixed = make_method(Selection, {"dependence": 0.5})
    assert isinstance(fixed, Selection)
    assert fixed.statement == "dependence s = 0.5, as set"
    assert fixed.dependence_found is None


class Lines:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self, label: str, total: int | None, unit: str) -> None: ...

    def advance(self, steps: int, note: str = "") -> None: ...

    def line(self, text: str) -> None:
        self.lines.append(text)


def test_a_log_without_exposure_is_told(tmp_path: Path) -> None:
    log = prepared(frame(4_000, S), tmp_path / "data", exposure=False)
    settings = postclick.RunSettings.make("selection", overrides=["dependence=1.5"])
    lines = Lines()
    found = postclick.train(log, settings, tmp_path / "run", reporter=lines).load()
    assert any("no exposure" in line for line in lines.lines)
    assert any(line == "dependence s = 1.5, as set" for line in lines.lines)
    assert found.exposure is None


def test_left_out_impressions_change_no_level(log: PreparedLog, tmp_path: Path) -> None:
    """Of a log without half of its unclicked training rows, the model is still that of all."""
    settings = postclick.RunSettings.make("selection", overrides=["dependence=1.5"])
    half = prepared(frame(40_000, S), tmp_path / "half", negative_rate=0.5)
    means = []
    for number, one in enumerate((log, half)):
        method = postclick.train(one, settings, tmp_path / f"run{number}").load()
        rows = one.split("test").rows
        batch = next(iter(one.sequential("test", rows)))[0]
        with torch.no_grad():
            found, sampled = method.predict(batch), method.predict_sampled(batch)
        means.append([found.ctr.sigmoid().mean().item(), found.cvr.sigmoid().mean().item()])
    np.testing.assert_allclose(means[0], means[1], rtol=0.02)
    by = sampled.ctr - found.ctr
    torch.testing.assert_close(by, torch.full_like(by, np.log(2)))


def test_a_sample_of_unclicked_rows_changes_no_level(
    log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more unclicked rows than are read, the likelihood is that of such a sample."""
    settings = postclick.RunSettings.make("selection", overrides=["dependence=1.5"])
    batch = next(iter(log.sequential("test", log.split("test").rows)))[0]
    means = []
    for name, rows in (("all", 1_000_000), ("some", 7_000)):
        monkeypatch.setattr("postclick.methods.selection_fit.UNCLICKED_ROWS", rows)
        method = postclick.train(log, settings, tmp_path / name).load()
        with torch.no_grad():
            found = method.predict(batch)
        means.append([found.ctr.sigmoid().mean().item(), found.cvr.sigmoid().mean().item()])
    assert means[0] != means[1]
    np.testing.assert_allclose(means[1], means[0], rtol=0.03)


def test_the_bundle_serves_the_marginal_probabilities(
    log: PreparedLog, run: Run, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    bundle = postclick.export(run, tmp_path / "bundle")
    assert bundle.info.parity.largest_difference < 1e-5
    method = run.load()
    batch = next(iter(log.sequential("test", 200)))[0]
    with torch.no_grad():
        outputs = method(batch)
        found = method.predict(batch)
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    weights = weights / weights.sum()
    s = method.get_parameter("dependence").item()
    a, b = (outputs.logits[k].double().numpy()[:, None] for k in ("ctr", "cvr"))
    pctr, pcvr = expit(a + nodes) @ weights, expit(b + s * nodes) @ weights
    np.testing.assert_allclose(found.ctr.sigmoid().numpy(), pctr, rtol=2e-5)
    np.testing.assert_allclose(found.cvr.sigmoid().numpy(), pcvr, rtol=2e-5)


def test_an_interrupted_run_goes_on_from_its_stages(
    log: PreparedLog, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Selection, "_selection", stop)
        with pytest.raises(KeyboardInterrupt):
            postclick.train(log, "selection", tmp_path / "run")
    again = postclick.train(log, "selection", tmp_path / "run").load()
    for name, tensor in run.load().state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_it_keeps_what_a_fitted_method_has_to_keep() -> None:
    found = check_fitted_method(Selection, options=({"dependence": 0.8, "folds": 2},))
    assert all(found.values())


def test_products_of_values_are_refused() -> None:
    with pytest.raises(InputError, match="factors"):
        Selection.Config.parse("selection", {"factors": 4})
    assert "factors" not in Selection.Config.parse("selection", {}).searched()


def test_explain_tells_of_the_regressions_in_which_nothing_is_hidden(
    log: PreparedLog, run: Run
) -> None:
    settings = postclick.RunSettings.make("click_prior/no_factors")
    plain = postclick.train(log, settings, log.folder.parent / "plain")
    found = run.explain()
    assert replace(found, dependence=None) == plain.explain()
    assert found.dependence is not None
    assert found.dependence == run.load().dependence_told
    assert found.dependence.profile.at[0] <= 0 < found.dependence.profile.at[-1]
    assert min(found.dependence.profile.loss) < 1e-3
    assert "Products" not in found.sentence
    served, told = (
        run.load().get_buffer(name)[0] for name in ("score_effect", "plain_score_effect")
    )
    assert served != told
