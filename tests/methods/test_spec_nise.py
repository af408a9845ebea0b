"""NISE: what its pseudo-labels are, the weight of its CVR loss, and why it collapses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from postclick.data.batch import Batch
from postclick.losses import weighted_sum
from postclick.methods import Method, Phase
from postclick.methods.nise import LONGEST_DECAY
from reference.population import random_batch

from .helpers import INPUTS, PATTERNS, make_batch, make_method
from .tabular import settle
from .test_spec import slopes, terms_of

SIZE = 16
PLAIN = {"fixed_weight": 1.0}


def drawn(seed: int = 0, heads: tuple[str, ...] = ("ctr", "cvr")) -> tuple[dict[str, Any], Any]:
    return random_batch(seed, heads, SIZE)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def mixed() -> Batch:
    return make_batch(*PATTERNS["mixed"])


@pytest.mark.parametrize("seed", range(3))
def test_16_5_an_attached_label_minimises_entropy(seed: int) -> None:
    """d/dz = -z q (1 - q) where nobody clicked: always away from 1/2."""
    z, labels = drawn(seed)
    terms, leaves = terms_of("nise", z, labels, **PLAIN)
    found = slopes(terms["cvr"], leaves)["cvr"].numpy()
    unclicked = labels[0] == 0
    q = sigmoid(z["cvr"])
    np.testing.assert_allclose(found[unclicked], (-z["cvr"] * q * (1 - q) / SIZE)[unclicked])
    np.testing.assert_array_equal(np.sign(found[unclicked]), -np.sign(z["cvr"][unclicked]))
    np.testing.assert_allclose(found[~unclicked], ((q - labels[1]) / SIZE)[~unclicked])


@pytest.mark.parametrize("pseudo", ["self_detached", "ema", "previous_epoch"])
def test_16_5_a_detached_label_has_no_gradient(pseudo: str) -> None:
    """Nor has a model without a past, nor one that stands still."""
    z, labels = drawn()
    terms, leaves = terms_of("nise", z, labels, pseudo=pseudo, **PLAIN)
    found = slopes(terms["cvr"], leaves)["cvr"].numpy()
    # q - q, but for rounding in the two parts of the cross-entropy.
    assert np.abs(found[labels[0] == 0]).max() < 1e-16
    assert (found[labels[0] == 1] != 0).all()


def test_a_click_tower_labels_and_is_not_trained_by_that() -> None:
    z, labels = drawn(0, ("ctr", "cvr", "teacher"))
    terms, leaves = terms_of("nise", z, labels, pseudo="click_tower", **PLAIN)
    found = slopes(terms["cvr"], leaves)
    unclicked = labels[0] == 0
    expected = (sigmoid(z["cvr"]) - sigmoid(z["teacher"])) / SIZE
    np.testing.assert_allclose(found["cvr"].numpy()[unclicked], expected[unclicked])
    assert not found["teacher"].any()
    own = slopes(terms["teacher"], leaves)["teacher"].numpy()
    np.testing.assert_array_equal(own != 0, ~unclicked)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 50.0), (0.5, 50.0), (2.0, 0.1)])
def test_the_cvr_loss_is_balanced_with_the_ctr_loss(alpha: float, beta: float) -> None:
    z, labels = drawn()
    plain, plain_leaves = terms_of("nise", z, labels, **PLAIN)
    terms, leaves = terms_of("nise", z, labels, alpha=alpha, beta=beta)
    ratio = (plain["ctr"] / plain["cvr"]).item()
    assert (ratio > beta) == (beta == 0.1)
    expected = alpha * min(ratio, beta) * plain["cvr"].item()
    assert terms["cvr"].item() == pytest.approx(expected, rel=1e-12)
    # The weight is held: neither loss is trained through it.
    found = slopes(terms["cvr"], leaves)
    assert not found["ctr"].any()
    unweighted = slopes(plain["cvr"], plain_leaves)["cvr"]
    torch.testing.assert_close(found["cvr"], alpha * min(ratio, beta) * unweighted)


def test_a_loss_of_zero_gets_the_largest_weight_and_stays_zero() -> None:
    z, _ = drawn()
    nothing = (np.zeros(SIZE), np.zeros(SIZE))
    terms, leaves = terms_of("nise", z, nothing, unclicked=False)
    assert terms["cvr"] == 0
    assert not slopes(terms["cvr"], leaves)["cvr"].any()


def test_ablations() -> None:
    z, labels = drawn()
    without = terms_of("nise", z, labels, ctr_task=False)[0]
    assert set(without) == {"cvr"}
    assert without["cvr"].item() == terms_of("nise", z, labels, **PLAIN)[0]["cvr"].item()
    terms, leaves = terms_of("nise", z, labels, unclicked=False)
    found = slopes(terms["cvr"], leaves)["cvr"].numpy()
    np.testing.assert_array_equal(found != 0, labels[0] == 1)


@pytest.mark.parametrize(
    ("pseudo", "heads", "low", "high"),
    [
        ("self_attached", ("ctr", "cvr"), 0.0, 0.1),
        ("self_detached", ("ctr", "cvr"), 0.9999, 1.0001),
        ("ema", ("ctr", "cvr"), 0.9999, 1.0001),
        ("click_tower", ("ctr", "cvr", "teacher"), 0.9999, 1.0001),
    ],
)
def test_as_released_it_collapses_even_with_a_cell_of_its_own_for_everyone(
    pseudo: str, heads: tuple[str, ...], low: float, high: float
) -> None:
    found = settle("nise", heads, pseudo=pseudo)
    assert found.slope < 1e-8
    assert low < found.ratio < high


def test_as_released_it_collapses_on_clicked_rows_too() -> None:
    """A network with shared features; nothing but the pseudo-label differs."""
    rng = np.random.default_rng(0)
    n = 2000
    batch = make_batch([0] * n, [0] * n)
    x = batch.numeric[:, 0].numpy()
    click = torch.from_numpy(rng.random(n) < sigmoid(-2 + x)).float()
    conversion = click * torch.from_numpy(rng.random(n) < sigmoid(-1.2 + 0.5 * x)).float()
    inputs = replace(INPUTS, vectors=())  # by which a network could know each row
    numeric = batch.numeric[:, : inputs.numerics]
    batch = replace(batch, numeric=numeric, click=click, conversion=conversion)

    def mean_clicked_cvr(pseudo: str) -> float:
        method = make_method("nise", {"pseudo": pseudo}, inputs=inputs)
        optimizer = torch.optim.Adam(
            [p for name, p in method.named_parameters() if not name.endswith("table")], lr=0.01
        )
        for _ in range(150):
            optimizer.zero_grad()
            weighted_sum(method.loss(batch)[1]).backward()
            optimizer.step()
        cvr = method.predict(batch).cvr.detach().sigmoid()
        return float((click * cvr).sum() / click.sum())

    truth = float(conversion.sum() / click.sum())
    assert mean_clicked_cvr("self_attached") < 0.2 * truth
    assert mean_clicked_cvr("ema") == pytest.approx(truth, rel=0.1)


# --- the earlier model


def step(method: Method[Any], batch: Batch, seed: int = 0) -> Tensor:
    """One step of plain gradient descent; the loss before it."""
    method.zero_grad()
    loss = weighted_sum(method.loss(batch)[1])
    loss.backward()
    with torch.no_grad():
        for parameter in method.parameters():
            if parameter.grad is not None:
                parameter.sub_(0.5 * parameter.grad)
    return loss.detach()


@pytest.mark.parametrize("pseudo", ["ema", "previous_epoch"])
def test_the_earlier_model_is_saved_and_not_trained(pseudo: str) -> None:
    method = make_method("nise", {"pseudo": pseudo})
    earlier = {n: p for n, p in method.named_parameters() if n.startswith("earlier")}
    assert earlier
    assert not any(parameter.requires_grad for parameter in earlier.values())
    assert {*earlier, "age"} <= set(method.state_dict())
    assert ("earlier_embedding.table" in earlier) == (pseudo == "previous_epoch")
    assert not any(n.startswith("earlier") for n in make_method("nise").state_dict())


def test_ema_is_the_average_of_past_weights() -> None:
    method, batch = make_method("nise", {"pseudo": "ema"}), mixed()
    name = "net.heads.cvr.last.weight"
    average = method.get_parameter(name).detach().clone()
    for age in range(5):
        now = method.get_parameter(name).detach().clone()
        decay = min(LONGEST_DECAY, (1 + age) / (10 + age))
        average = decay * average + (1 - decay) * now
        step(method, batch)
        torch.testing.assert_close(method.get_parameter(name.replace("net", "earlier")), average)
        assert not torch.equal(average, now) or age == 0
    # Judging a model is no step.
    method.eval().loss(batch)
    torch.testing.assert_close(method.get_parameter(name.replace("net", "earlier")), average)


def test_ema_follows_batch_statistics_and_labels_without_dropout() -> None:
    options = {"pseudo": "ema"}
    method = make_method("nise", options, batch_norm=True, dropout=0.5)
    step(method, mixed())
    counts = [b for n, b in method.earlier.named_buffers() if n.endswith("num_batches_tracked")]
    assert counts
    one, two = (method(mixed()) for _ in range(2))
    assert not torch.equal(one.logits["cvr"], two.logits["cvr"])
    assert torch.equal(one.extra["earlier"], two.extra["earlier"])
    assert not one.extra["earlier"].requires_grad


@pytest.mark.parametrize("pseudo", ["ema", "previous_epoch"])
def test_a_resumed_run_goes_on_as_if_nothing_had_happened(pseudo: str) -> None:
    batch = mixed()
    method, other = (make_method("nise", {"pseudo": pseudo}, seed=seed) for seed in (1, 2))
    step(method, batch)
    method.begin(Phase("later", 1))
    step(method, batch)
    other.load_state_dict(load(save(method.state_dict())))
    for _ in range(3):
        assert torch.equal(step(method, batch), step(other, batch))


def test_previous_epoch_has_a_phase_for_each_epoch_and_one_optimizer() -> None:
    method = make_method("nise", {"pseudo": "previous_epoch"})
    phases = method.schedule(3)
    assert [(phase.name, phase.epochs, phase.judged) for phase in phases] == [
        ("first", 1, True),
        ("later", 1, True),
        ("later", 1, True),
    ]
    assert len({step for phase in phases for step in phase.steps}) == 1
    assert make_method("nise", {"pseudo": "ema"}).schedule(3) == (Phase("joint", 3),)


def test_previous_epoch_labels_with_the_model_at_the_end_of_the_last_epoch() -> None:
    method, batch = make_method("nise", {"pseudo": "previous_epoch"}), mixed()
    method.begin(method.schedule(2)[0])
    assert "earlier" not in method(batch).extra
    step(method, batch)
    label = method(batch).logits["cvr"].detach()
    method.begin(method.schedule(2)[1])
    torch.testing.assert_close(method(batch).extra["earlier"], label)
    for _ in range(3):
        step(method, batch)
    assert not torch.allclose(method(batch).logits["cvr"], label)
    torch.testing.assert_close(method(batch).extra["earlier"], label)
