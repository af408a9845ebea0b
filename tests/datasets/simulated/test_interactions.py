"""Pairs and triples of fields: shares, and that no single field or side has any part of a term."""

import numpy as np
import pytest

from postclick.datasets.simulated.layouts import interactions as world
from postclick.datasets.simulated.layouts import shop
from postclick.datasets.simulated.layouts.interactions import Cells, Term, pure


def test_shares_sum_to_one_and_most_is_in_pairs_and_triples() -> None:
    terms = sum((world.PAIRS | world.TRIPLES).values())
    assert terms + world.MAIN + world.MATCH == pytest.approx(1.0)
    # Of the click logit the position has another 9 %.
    assert terms * 1.3**2 / (1.3**2 + 0.4**2) > 0.5


@pytest.mark.parametrize("fields", [*world.PAIRS, *world.TRIPLES])
def test_a_term_is_orthogonal_to_whatever_is_known_of_one_side(fields: tuple[str, ...]) -> None:
    plain = shop.SHOP.draw(np.random.default_rng(2), 3_000, 700)
    p, q = plain.users.probability, plain.items.probability
    term = Term.draw(np.random.default_rng(3), plain.users, plain.items, fields, 0.2)
    for effect in term.effect:
        every = effect[term.user[:, None], term.item[None, :]]
        assert np.abs(every @ q).max() < 1e-9
        assert np.abs(p @ every).max() < 1e-9
        assert p @ every**2 @ q == pytest.approx(0.2)


@pytest.mark.parametrize("fields", world.TRIPLES)
def test_a_triple_has_nothing_that_a_pair_of_its_fields_has(fields: tuple[str, ...]) -> None:
    plain = shop.SHOP.draw(np.random.default_rng(2), 3_000, 700)
    own = [[f for f in fields if f in s.attributes.columns] for s in (plain.users, plain.items)]
    sides = [Cells.of(s, f) for s, f in zip((plain.users, plain.items), own, strict=True)]
    mass = np.multiply.outer(sides[0].mass, sides[1].mass)
    assert mass.ndim == 3
    assert mass.sum() == pytest.approx(1.0)
    table = pure(np.random.default_rng(0).standard_normal(mass.shape), mass)
    for axis in range(3):
        among = mass.sum(axis=axis)
        mean = (mass * table).sum(axis=axis)[among > 0] / among[among > 0]
        assert np.average(mean**2, weights=among[among > 0]) < 1e-4


def test_bands_of_numbers_are_equally_frequent() -> None:
    side = shop.SHOP.draw(np.random.default_rng(2), 3_000, 700).items
    assert Cells.of(side, ["price"]).mass == pytest.approx([0.2] * 5, abs=0.03)
    # Ratings have few values.
    assert Cells.of(side, ["rating"]).mass == pytest.approx([0.2] * 5, abs=0.08)
