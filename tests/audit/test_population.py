"""Populations: their rows are a batch whose expectation is the population's."""

import numpy as np
import pytest
import torch

from postclick.audit.population import IMPRESSIONS, POPULATIONS
from postclick.losses import expectation, mean_clicked, mean_entire


@pytest.mark.parametrize("name", POPULATIONS)
def test_rows_reproduce_the_probabilities(name):
    population = POPULATIONS[name]()
    assert population.name == name
    assert population.mass.sum() == pytest.approx(1.0)
    rows = population.rows()
    assert float(rows.counts.sum()) == pytest.approx(IMPRESSIONS)
    with expectation(rows.counts):
        ctr = mean_entire(rows.click)
        cvr = mean_clicked(rows.conversion, rows.click)
    clicked = population.mass * population.ctr
    assert float(ctr) == pytest.approx(clicked.sum())
    assert float(cvr) == pytest.approx((clicked * population.cvr).sum() / clicked.sum())
    assert not bool(((rows.conversion == 1) & (rows.click == 0)).any())


def test_selection_has_the_sign_that_the_name_says():
    gap = {}
    for name, make in POPULATIONS.items():
        population = make()
        clicked = population.mass * population.ctr
        on_clicked = (clicked * population.cvr).sum() / clicked.sum()
        gap[name] = on_clicked / (population.mass * population.cvr).sum()
    assert gap["none"] == pytest.approx(1.0, abs=1e-9)
    assert gap["positive"] > 1.5
    assert gap["negative"] < 0.7
    assert gap["hidden"] > 1.2


def test_an_unobserved_confounder_biases_what_clicks_show_even_within_a_cell():
    population = POPULATIONS["hidden"]()
    clicked = population.mass * population.ctr
    shown = (clicked * population.cvr).sum(axis=1) / clicked.sum(axis=1)
    assert np.all(shown > population.cell_cvr)


def test_expectation_ends_with_its_block():
    values = torch.tensor([1.0, 3.0])
    with expectation(torch.tensor([3.0, 1.0])):
        assert float(mean_entire(values)) == 1.5
    assert float(mean_entire(values)) == 2.0


def test_merged_rows_are_the_same_population():
    population = POPULATIONS["exposed"]()
    rows, merged = population.rows(), population.rows().merged()
    assert len(merged.cell) == 3 * population.cells * population.exposures
    assert float(merged.counts.sum()) == pytest.approx(float(rows.counts.sum()))
    for cell, exposure in ((0, 0), (7, 3), (39, 1)):
        of = [(r.cell == cell) & (r.exposure == exposure) for r in (rows, merged)]
        for label in ("click", "conversion"):
            whole, parts = (
                float((r.counts * getattr(r, label))[mask].sum())
                for r, mask in zip((rows, merged), of, strict=True)
            )
            assert parts == pytest.approx(whole)


def test_an_exposure_moves_clicks_alone_and_is_the_same_in_every_cell():
    population = POPULATIONS["exposed"]()
    shares = [population.mass[:, population.exposure == k].sum(axis=1) for k in range(4)]
    assert np.allclose(shares, 1 / (4 * population.cells))
    first, last = (population.exposure == k for k in (0, 3))
    assert np.array_equal(population.cvr[:, first], population.cvr[:, last])
    assert (population.ctr[:, first] > population.ctr[:, last]).all()
