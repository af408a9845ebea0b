"""Losses against exact arithmetic of 120 digits; reductions against plain subset means.

Single losses are checked value by value and gradient by gradient up to logits of +-100, in
float32 and float64, because that is where probability-space formulas break.
"""

from collections.abc import Callable
from decimal import Decimal, localcontext
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from postclick import losses

LOGITS = (-100.0, -30.0, -8.0, -1.0, -0.1, 0.0, 0.3, 1.0, 8.0, 30.0, 100.0)
PAIRS = tuple(product(LOGITS, LOGITS))
TARGETS = (0.0, 0.25, 1.0)
# Relative tolerance; float32 logarithms of -200 are off by a rounding of 200. Below 1e-38
# float32 has no full precision left.
TOLERANCE = {torch.float32: (2e-5, 1e-38), torch.float64: (1e-13, 1e-300)}
DTYPES = tuple(TOLERANCE)


def probability(z: float) -> Decimal:
    return 1 / (1 + (-Decimal(z)).exp())


def bce(a: Decimal, y: float) -> Decimal:
    return -(Decimal(y) * a.ln() + (1 - Decimal(y)) * (1 - a).ln())


def exact(values: Callable[[], list[Decimal]]) -> np.ndarray:
    with localcontext() as context:
        context.prec = 120
        return np.array([float(value) for value in values()])


def leaves(values: tuple[tuple[float, ...], ...], dtype: torch.dtype) -> list[Tensor]:
    return [torch.tensor(column, dtype=dtype, requires_grad=True) for column in values]


def assert_close(found: Tensor, expected: np.ndarray, dtype: torch.dtype) -> None:
    assert found.dtype == dtype
    assert torch.isfinite(found).all()
    rtol, atol = TOLERANCE[dtype]
    np.testing.assert_allclose(found.detach().double().numpy(), expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("y", TARGETS)
def test_cross_entropy_is_exact(y: float, dtype: torch.dtype) -> None:
    (z,) = leaves((LOGITS,), dtype)
    loss = losses.cross_entropy(z, torch.full_like(z, y))
    assert_close(loss, exact(lambda: [bce(probability(x), y) for x in LOGITS]), dtype)
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    assert_close(gradient, exact(lambda: [probability(x) - Decimal(y) for x in LOGITS]), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_gradient_of_the_target_is_minus_its_logit(dtype: torch.dtype) -> None:
    z, y = leaves((LOGITS, (0.3,) * len(LOGITS)), dtype)
    (gradient,) = torch.autograd.grad(losses.cross_entropy(z, y).sum(), y)
    assert_close(gradient, -np.array(LOGITS), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_product_is_exact(dtype: torch.dtype) -> None:
    a, b = leaves(tuple(zip(*PAIRS, strict=True)), dtype)
    log_t, log_rest = losses.log_product(a, b)
    t = [(x, y) for x, y in PAIRS]
    assert_close(
        log_t, exact(lambda: [(probability(x) * probability(y)).ln() for x, y in t]), dtype
    )
    assert_close(
        log_rest, exact(lambda: [(1 - probability(x) * probability(y)).ln() for x, y in t]), dtype
    )
    assert (log_t <= 0).all()
    assert (log_rest <= 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("y", TARGETS)
def test_product_cross_entropy_is_exact(y: float, dtype: torch.dtype) -> None:
    a, b = leaves(tuple(zip(*PAIRS, strict=True)), dtype)
    loss = losses.product_cross_entropy(a, b, torch.full_like(a, y))
    values = exact(lambda: [bce(probability(x) * probability(z), y) for x, z in PAIRS])
    assert_close(loss, values, dtype)

    def slope(own: float, other: float) -> Decimal:
        p, q = probability(own), probability(other)
        return (p * q - Decimal(y)) * (1 - p) / (1 - p * q)

    gradients = torch.autograd.grad(loss.sum(), (a, b))
    if 0 < y < 1:
        # Opposite contributions of y and 1 - y: exact up to the rounding of the larger one.
        rtol = TOLERANCE[dtype][0]
        for found, own in zip(gradients, (PAIRS, [(q, p) for p, q in PAIRS]), strict=True):
            expected = exact(lambda own=own: [slope(x, z) for x, z in own])
            np.testing.assert_allclose(found.double().numpy(), expected, rtol=rtol, atol=rtol)
        return
    assert_close(gradients[0], exact(lambda: [slope(x, z) for x, z in PAIRS]), dtype)
    assert_close(gradients[1], exact(lambda: [slope(z, x) for x, z in PAIRS]), dtype)


@settings(deadline=None)
@given(st.floats(-20, 20, width=32), st.floats(-20, 20, width=32))
def test_product_cross_entropy_in_float32_is_its_float64_self(a: float, b: float) -> None:
    results = []
    for dtype in DTYPES:
        z = torch.tensor([a, b], dtype=dtype, requires_grad=True)
        both = [losses.product_cross_entropy(z[:1], z[1:], z.new_tensor([y])) for y in (0.0, 1.0)]
        slopes = [torch.autograd.grad(loss.sum(), z, retain_graph=True)[0] for loss in both]
        results.append(torch.cat([*both, *slopes]).detach().double())
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-30)


def test_propensity_is_clipped_and_detached() -> None:
    z = torch.tensor([-9.0, 0.0, 1.0, 9.0], dtype=torch.float64, requires_grad=True)
    detached = losses.propensity(z, (0.01, 0.6))
    assert not detached.requires_grad
    np.testing.assert_allclose(detached.numpy(), [0.01, 0.5, 0.6, 0.6], rtol=1e-15)
    attached = losses.propensity(z, (0.01, 0.6), detach=False)
    (gradient,) = torch.autograd.grad(attached.sum(), z)
    np.testing.assert_allclose(gradient.numpy(), [0.0, 0.25, 0.0, 0.0], rtol=1e-15)


def test_pseudo_label_is_a_probability_detached_by_default() -> None:
    z = torch.tensor([-1.0, 0.0], dtype=torch.float64, requires_grad=True)
    assert not losses.pseudo_label(z).requires_grad
    attached = losses.pseudo_label(z, detach=False)
    assert_close(attached, exact(lambda: [probability(-1.0), probability(0.0)]), torch.float64)
    (gradient,) = torch.autograd.grad(attached.sum(), z)
    np.testing.assert_allclose(gradient.numpy(), attached.detach() * (1 - attached.detach()))


def test_gaussian_nll_is_the_normal_log_density_without_its_constant() -> None:
    rng = np.random.default_rng(0)
    x, m, s2 = rng.normal(size=50), rng.normal(size=50), rng.uniform(0.1, 5.0, 50)
    density = np.exp(-((x - m) ** 2) / (2 * s2)) / np.sqrt(2 * np.pi * s2)
    found = losses.gaussian_nll(*(torch.from_numpy(a) for a in (x, m, s2))).numpy()
    np.testing.assert_allclose(found, -np.log(density) - 0.5 * np.log(2 * np.pi), rtol=1e-12)


# --- reductions

Reduction = Callable[[Tensor, Tensor, Tensor], Tensor]
MASKED: dict[str, Reduction] = {
    "mean_over": lambda loss, weight, mask: losses.mean_over(loss, mask),
    "mean_clicked": lambda loss, weight, mask: losses.mean_clicked(loss, mask),
    "mean_unclicked": lambda loss, weight, mask: losses.mean_unclicked(loss, 1 - mask),
    "self_normalised": losses.self_normalised,
    "subset": lambda *a: losses.weighted_mean(*a, "subset"),
    "entire": lambda *a: losses.weighted_mean(*a, "entire"),
    "self": lambda *a: losses.weighted_mean(*a, "self"),
}
EXPECTED: dict[str, Callable[[np.ndarray, np.ndarray, int], float]] = {
    **dict.fromkeys(("mean_over", "mean_clicked", "mean_unclicked"), lambda x, w, n: x.mean()),
    **dict.fromkeys(("self_normalised", "self"), lambda x, w, n: np.average(x, weights=w)),
    "subset": lambda x, w, n: (w * x).mean(),
    "entire": lambda x, w, n: (w * x).sum() / n,
}


def masked_batch(seed: int, n: int = 20) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    mask = (rng.random(n) < 0.4).astype(float)
    mask[0] = 1.0
    arrays = (rng.exponential(size=n), rng.uniform(1, 9, n), mask)
    loss, weight, on = (torch.from_numpy(a) for a in arrays)
    return loss.requires_grad_(), weight, on


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("seed", range(5))
def test_masked_loss_is_the_loss_of_the_subset(seed: int, name: str) -> None:
    loss, weight, mask = masked_batch(seed)
    found = MASKED[name](loss, weight, mask)
    rows = mask.numpy() == 1
    expected = EXPECTED[name](loss.detach().numpy()[rows], weight.numpy()[rows], len(rows))
    assert found.item() == pytest.approx(expected, rel=1e-13)
    (gradient,) = torch.autograd.grad(found, loss)
    assert (gradient[mask == 0] == 0).all()
    assert (gradient[mask == 1] > 0).all()


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("n", [0, 5])
def test_an_empty_subset_is_zero_with_a_live_graph(n: int, name: str) -> None:
    loss = torch.ones(n, requires_grad=True)
    weight = torch.full((n,), 3.0, requires_grad=True)
    found = MASKED[name](loss, weight, torch.zeros(n))
    assert found.shape == ()
    assert found.item() == 0.0
    gradients = torch.autograd.grad(found, (loss, weight), allow_unused=True)
    assert gradients[0] is not None
    assert all(g is None or (g == 0).all() for g in gradients)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_mean_entire_divides_by_all_rows(n: int) -> None:
    loss = torch.arange(1.0, n + 1, dtype=torch.float64).requires_grad_()
    found = losses.mean_entire(loss)
    assert found.item() == pytest.approx((n + 1) / 2 if n else 0.0)
    found.backward()
    assert loss.grad is not None
    np.testing.assert_allclose(loss.grad.numpy(), np.full(n, 1 / max(n, 1)))


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_logits_under_a_mask_have_finite_gradients(name: str, dtype: torch.dtype) -> None:
    a, b = leaves(tuple(zip(*PAIRS, strict=True)), dtype)
    mask = (torch.arange(len(PAIRS)) % 3 == 0).to(dtype)
    for loss in (losses.cross_entropy(b, mask), losses.product_cross_entropy(a, b, mask)):
        weight = 1 / losses.propensity(a, (1e-15, 1 - 1e-7), detach=False)
        total = MASKED[name](loss, weight, mask)
        assert torch.isfinite(total)
        for gradient in torch.autograd.grad(total, (a, b), allow_unused=True):
            assert gradient is None or torch.isfinite(gradient).all()


def test_mean_entire_of_masked_rows_is_not_mean_clicked() -> None:
    loss, _, click = masked_batch(0)
    entire, clicked = losses.mean_entire(click * loss), losses.mean_clicked(loss, click)
    assert clicked.item() == pytest.approx(entire.item() * len(click) / click.sum().item())
    assert clicked.item() > 1.5 * entire.item()


def test_unknown_normalisation_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown normalisation 'all'"):
        losses.weighted_mean(*masked_batch(0), "all")
