"""Oracle figures of simulated logs against labels drawn, quadrature and plain formulas."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import log_loss, roc_auc_score

from postclick.datasets.simulated import WORLDS, SimulatedLog, get_world, simulate
from postclick.datasets.simulated.describe import oracle_lines
from postclick.datasets.simulated.oracle import drawn_pcoc, expected_cvr, oracle_figures

SPACES = ("clicked", "unclicked", "entire")


def small(world: str, rows: int = 20_000) -> SimulatedLog:
    return simulate(world, rows=rows, seed=3)


def spaces(test: pl.DataFrame) -> dict[str, pl.DataFrame]:
    click = pl.col("click") == 1
    return {"clicked": test.filter(click), "unclicked": test.filter(~click), "entire": test}


@pytest.mark.parametrize("world", ["confounded", "hidden"])
def test_oracle_agrees_with_the_labels_drawn(world: str) -> None:
    log = simulate(world, rows=80_000, seed=5, ctr=0.2, cvr=0.2)
    test, oracle = log.test, log.oracle
    for space, part in spaces(test).items():
        label, truth = part["potential_conversion"], part["true_cvr"]
        base = np.full(part.height, truth.mean())
        assert oracle[f"cvr_{space}"] == pytest.approx(truth.mean(), rel=0.05)
        assert oracle[f"cvr_auc_{space}"] == pytest.approx(roc_auc_score(label, truth), abs=0.03)
        assert oracle[f"cvr_nll_{space}"] == pytest.approx(log_loss(label, truth), rel=0.05)
        assert oracle[f"base_rate_cvr_nll_{space}"] == pytest.approx(log_loss(label, base), rel=0.1)
        assert oracle[f"cvr_pcoc_{space}"] == pytest.approx(truth.sum() / label.sum())
        assert oracle[f"cvr_pcoc_{space}"] == pytest.approx(1.0, abs=0.15)
    for score, label, figure in (
        (test["true_ctr"], test["click"], "ctr_auc"),
        (test["true_ctr"] * test["true_cvr"], test["conversion"], "ctcvr_auc"),
    ):
        assert oracle[figure] == pytest.approx(roc_auc_score(label, score), abs=0.03)


@pytest.mark.parametrize("world", WORLDS)
def test_the_truth_beats_the_base_rate_and_features_at_most_tie(world: str) -> None:
    oracle = small(world).oracle
    for space in SPACES:
        truth, seen = oracle[f"cvr_nll_{space}"], oracle[f"feature_cvr_nll_{space}"]
        base = oracle[f"base_rate_cvr_nll_{space}"]
        assert truth is not None and seen is not None and base is not None
        assert truth < base
        assert (seen - truth > 1e-3) if get_world(world).hidden else (seen == pytest.approx(truth))


@pytest.mark.parametrize("world", WORLDS)
def test_features_fall_short_of_the_oracle_only_where_something_is_hidden(world: str) -> None:
    oracle = small(world).oracle
    truth, seen = oracle["cvr_auc_entire"], oracle["feature_cvr_auc_entire"]
    assert truth is not None and seen is not None
    assert (truth - seen > 0.03) if get_world(world).hidden else (abs(truth - seen) < 1e-9)


@pytest.mark.parametrize("sd", [0.0, 0.5, 1.06, 1.68])
@pytest.mark.parametrize("logit", [-9.0, -4.0, -1.0, 2.0])
def test_expected_cvr_is_the_integral_over_the_confounder(logit: float, sd: float) -> None:
    found = expected_cvr(np.array([logit]), sd)[0]
    wanted, _ = quad(lambda h: expit(logit + sd * h) * norm.pdf(h), -12, 12, epsabs=1e-12)
    assert found == pytest.approx(wanted, rel=1e-6)


def test_feature_cvr_is_calibrated_over_the_entire_space() -> None:
    """Of all impressions alike in features, the hidden confounder averages out."""
    log = simulate("hidden", rows=200_000, seed=1, users=20, items=20)
    cells = pl.concat([log.train, log.test]).group_by("user", "item")
    means = cells.agg(pl.len(), pl.col("true_cvr").mean(), pl.col("true_cvr").median().alias("mid"))
    big = means.filter(pl.col("len") > 500)
    assert big.height > 50
    # The median impression has H = 0: its logit is the features' own.
    logit = np.log(big["mid"] / (1 - big["mid"])).to_numpy()
    sd = 1.68 * np.sqrt(0.4)
    error = expected_cvr(logit, sd) / big["true_cvr"].to_numpy() - 1
    assert abs(error.mean()) < 0.02


def test_figures_of_two_impressions_by_hand() -> None:
    ctr, cvr = np.array([0.2, 0.6]), np.array([0.1, 0.3])
    figures = oracle_figures(ctr, cvr, ctr, cvr)
    entropy = -cvr * np.log(cvr) - (1 - cvr) * np.log(1 - cvr)
    assert figures["cvr_nll_entire"] == pytest.approx(entropy.mean())
    assert figures["cvr_nll_clicked"] == pytest.approx((0.2 * entropy[0] + 0.6 * entropy[1]) / 0.8)
    mean = (0.8 * 0.1 + 0.4 * 0.3) / 1.2
    base = -mean * np.log(mean) - (1 - mean) * np.log(1 - mean)
    assert figures["base_rate_cvr_nll_unclicked"] == pytest.approx(base)


def test_pcoc_without_conversions_is_undefined_and_printed_so() -> None:
    flags = np.array([True, False])
    figures = drawn_pcoc(np.array([0.5, 0.5]), flags, np.array([False, False]))
    assert list(figures.values()) == [None, None, None]
    log = simulate(rows=1_000, ctr=0.01, cvr=1e-4)
    assert log.oracle["cvr_pcoc_clicked"] is None
    assert "undefined" in oracle_lines(log.oracle)[7]


FIGURES = (
    "cvr_clicked",
    "cvr_entire",
    "cvr_auc_clicked",
    "cvr_auc_entire",
    "cvr_nll_clicked",
    "base_rate_cvr_nll_clicked",
    "cvr_nll_entire",
    "base_rate_cvr_nll_entire",
    "cvr_pcoc_clicked",
    "cvr_pcoc_entire",
)


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_the_documented_oracle_is_what_the_command_prints(world: str) -> None:
    oracle = simulate(world, rows=400_000, seed=0).oracle
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    printed = page[page.index("### Oracle") :]
    row = next(line for line in printed.splitlines() if line.startswith(f"| `{world}` |"))
    cells = [float(cell) for cell in row.strip("| ").split("|")[1:]]
    assert cells == pytest.approx([oracle[name] for name in FIGURES], abs=1.1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("world", [w for w in WORLDS if get_world(w).decomposed])
def test_the_documented_shares_of_variance_are_those_of_the_command(world: str) -> None:
    variance = simulate(world, rows=400_000, seed=0).variance
    assert variance is not None
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    lines = page[page.index("### What is additive") :].splitlines()
    head = next(line for line in lines if line.startswith("| world | logit |"))
    first = next(n for n, line in enumerate(lines) if line.startswith(f"| `{world}` |"))
    rows = [[cell.strip() for cell in line.split("|")[2:-1]] for line in lines[first : first + 2]]
    for row, (name, shares) in zip(rows, variance.items(), strict=True):
        assert row[0] == name
        printed = {
            part.strip(): float(cell.removesuffix(" %"))
            for part, cell in zip(head.split("|")[3:-1], row[1:], strict=True)
        }
        assert printed == pytest.approx({k: 100 * v for k, v in shares.items()}, abs=0.11)
