"""What is logged of an epoch, against numbers computed by hand."""

import numpy as np
import pytest
import torch

from postclick.losses import Term, Terms
from postclick.methods.base import Labels, Outputs
from postclick.training.meter import EpochMeter

CLIP = (0.1, 0.9)
HALF = {"ctr": Term(torch.tensor(0.5), 1.0, "entire")}


def batch(rows: int, seed: int) -> tuple[Terms, float, Outputs, Labels]:
    rng = np.random.default_rng(seed)
    terms = {name: Term(torch.tensor(rng.random()), 1.0, "entire") for name in ("ctr", "cvr")}
    click = torch.from_numpy((rng.random(rows) < 0.5).astype(np.float32))
    logit = torch.from_numpy(rng.normal(scale=2.5, size=rows).astype(np.float32))
    return terms, 3 * float(terms["ctr"].value), Outputs({"ctr": logit}), Labels(click, click)


def test_terms_are_means_per_impression_not_per_batch() -> None:
    meter = EpochMeter()
    for rows, value in ((10, 1.0), (30, 2.0)):
        labels = Labels(torch.ones(rows), torch.zeros(rows))
        meter.add({"ctr": Term(torch.tensor(value), 1.0, "entire")}, 2 * value, Outputs({}), labels)
    report = meter.report()
    assert report == {"loss": pytest.approx(3.5), "terms": {"ctr": pytest.approx(1.75)}}


def test_propensity_diagnostics_by_hand() -> None:
    meter = EpochMeter(CLIP)
    batches = [batch(40, 0), batch(7, 1), batch(160, 2)]
    for one in batches:
        meter.add(*one)
    ctr = np.concatenate([1 / (1 + np.exp(-b[2].logits["ctr"].double().numpy())) for b in batches])
    click = np.concatenate([b[3].click.double().numpy() for b in batches])
    weight = click / np.clip(ctr, *CLIP)
    report = meter.report()
    outside = ((ctr < CLIP[0]) | (ctr > CLIP[1])).mean()
    assert 0.1 < outside < 0.9
    assert report["clip_share"] == pytest.approx(outside)
    effective = weight.sum() ** 2 / (weight**2).sum()
    assert report["effective_sample_size"] == pytest.approx(effective, rel=1e-6)
    assert 1 < effective < click.sum()
    assert report["clicks"] == click.sum()


def test_equal_weights_make_every_click_count() -> None:
    meter = EpochMeter(CLIP)
    labels = Labels(torch.tensor([1.0, 0.0, 1.0, 1.0]), torch.zeros(4))
    meter.add(
        {"ctr": Term(torch.tensor(0.5), 1.0, "entire")},
        0.5,
        Outputs({"ctr": torch.zeros(4)}),
        labels,
    )
    assert meter.report()["effective_sample_size"] == pytest.approx(3.0)
    assert meter.report()["clip_share"] == 0.0


def test_no_click_and_no_row_are_no_division_by_zero() -> None:
    meter = EpochMeter(CLIP)
    assert meter.report()["effective_sample_size"] == 0.0
    labels = Labels(torch.zeros(3), torch.zeros(3))
    meter.add(
        {"ctr": Term(torch.tensor(0.5), 1.0, "entire")},
        0.5,
        Outputs({"ctr": torch.zeros(3)}),
        labels,
    )
    report = meter.report()
    assert (report["effective_sample_size"], report["clicks"]) == (0.0, 0.0)


def test_without_a_clip_nothing_is_said_of_propensities() -> None:
    meter = EpochMeter()
    meter.add(*batch(5, 0))
    assert set(meter.report()) == {"loss", "terms"}


def test_an_interrupted_epoch_goes_on_from_its_sums() -> None:
    whole, first = EpochMeter(CLIP), EpochMeter(CLIP)
    for seed in range(4):
        whole.add(*batch(20, seed))
    for seed in range(2):
        first.add(*batch(20, seed))
    second = EpochMeter(CLIP, "ctr", dict(first.sums), first.rows)
    for seed in range(2, 4):
        second.add(*batch(20, seed))
    assert second.report() == whole.report()


def test_the_meter_keeps_no_graph() -> None:
    logit = torch.zeros(4, requires_grad=True)
    meter = EpochMeter(CLIP)
    terms = {"ctr": Term(logit.mean(), 1.0, "entire")}
    meter.add(terms, 0.0, Outputs({"ctr": logit}), Labels(torch.ones(4), logit))
    assert all(isinstance(value, float) for value in meter.sums.values())


def test_whole_weights_are_copies_of_rows() -> None:
    """But for `clicks`, which counts rows, as the effective sample size is compared with it."""
    weighted, copies = EpochMeter(CLIP), EpochMeter(CLIP)
    for seed, rows in enumerate((30, 11)):
        terms, total, outputs, labels = batch(rows, seed)
        counts = torch.arange(rows) % 3
        weighted.add(terms, total, outputs, labels, weight=counts.float())
        many = torch.repeat_interleave(torch.arange(rows), counts)
        logits = Outputs({"ctr": outputs.logits["ctr"][many]})
        copies.add(terms, total, logits, Labels(labels.click[many], labels.conversion[many]))
    assert weighted.rows == 41
    found, expected = weighted.report(), copies.report()
    for name in ("loss", "terms", "clip_share"):
        assert found[name] == pytest.approx(expected[name])
    effective = found["effective_sample_size"]
    assert isinstance(effective, float)
    assert effective < float(expected["effective_sample_size"])  # type: ignore[arg-type]
