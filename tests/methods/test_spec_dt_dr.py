"""DT-DR: which embedding each head reads, the penalty, and where its losses settle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from postclick.data.prepared import InputSpec
from postclick.losses import row_weights, weighted_sum
from postclick.methods import METHODS, Labels, Outputs
from postclick.methods.dt_dr import PARTS, orthogonality
from postclick.testing.batches import BAGS, DIM, FIELDS
from reference import disentangled
from reference.population import random_batch

from .helpers import PATTERNS, dense, make_batch, make_method
from .tabular import settle
from .test_spec import slopes, terms_of

HEADS = ("ctr", "cvr", "imputation")
COLUMNS = len(FIELDS) + len(BAGS)


def random_parts(seed: int, rows: int = 18) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(rows, 3, 4)) for _ in range(2))
    return a, b


@pytest.mark.parametrize("copies", [False, True])
def test_the_penalty_and_its_gradient_equal_the_reference(copies: bool) -> None:
    z, (click, conversion) = random_batch(0, HEADS)
    parts = random_parts(1)
    counts = np.arange(18) % 4 if copies else np.ones(18, dtype=int)
    rows = np.repeat(np.arange(18), counts)

    def reference(a: np.ndarray) -> float:
        terms = disentangled.dt_dr(
            {head: x[rows] for head, x in z.items()},
            click[rows],
            conversion[rows],
            embeddings=(a[rows], parts[1][rows]),
        )
        return terms["orthogonality"]

    leaves = [torch.from_numpy(x.copy()).requires_grad_() for x in parts]
    outputs = Outputs({h: torch.from_numpy(x) for h, x in z.items()}, {PARTS: tuple(leaves)})
    labels = Labels(torch.from_numpy(click), torch.from_numpy(conversion))
    with row_weights(torch.from_numpy(counts.astype(float)) if copies else None):
        found = METHODS["dt_dr"].terms(METHODS["dt_dr"].Config(), outputs, labels)
    value = found["orthogonality"].value
    assert value.item() == pytest.approx(reference(parts[0]), rel=1e-12)
    value.backward()
    slope = leaves[0].grad
    assert slope is not None
    for place in ((0, 0, 0), (3, 1, 2), (11, 2, 3), (17, 0, 1)):
        moved = []
        for sign in (1, -1):
            a = parts[0].copy()
            a[place] += sign * 1e-5
            moved.append(reference(a))
        assert slope[place].item() == pytest.approx(
            (moved[0] - moved[1]) / 2e-5, rel=1e-6, abs=1e-9
        )


def test_embeddings_of_orthogonal_columns_pay_for_their_size_alone() -> None:
    a, b = np.zeros((8, 1, 4)), np.zeros((8, 1, 4))
    a[:, 0, 0], b[:, 0, 1] = np.tile([1.0, -1.0], 4), np.tile([1.0, 1.0, -1.0, -1.0], 2)
    found = orthogonality((torch.from_numpy(a), torch.from_numpy(b)), torch.zeros(8).double())
    assert found.item() == pytest.approx(2 / 8)


def test_what_is_disentangled_are_the_embedded_columns() -> None:
    method = make_method("dt_dr").eval()
    batch = make_batch(*PATTERNS["mixed"])
    a, b = method(batch).extra[PARTS]
    assert a.shape == b.shape == (8, COLUMNS, DIM)
    for part, embedding in ((a, method.embedding), (b, method.auxiliary)):
        assert torch.equal(part[:, 0], embedding.table[batch.ids[:, 0]])
        assert torch.equal(part.flatten(1), embedding(batch.ids, batch.numeric, batch.bags)[:, :16])


def test_pcvr_reads_its_own_embedding_and_pctr_both() -> None:
    method = make_method("dt_dr")
    logits = method(make_batch(*PATTERNS["mixed"])).logits
    tables = {n: p for n, p in method.named_parameters() if n.endswith("table")}
    assert set(tables) == {"embedding.table", "auxiliary.table", "imputation.embedding.table"}
    read = {}
    for head in HEADS:
        found = torch.autograd.grad(
            logits[head].sum(), list(tables.values()), retain_graph=True, allow_unused=True
        )
        read[head] = {
            name.removesuffix(".table")
            for name, g in zip(tables, found, strict=True)
            if g is not None and dense(g).any()
        }
    assert read == {
        "ctr": {"embedding", "auxiliary"},
        "cvr": {"embedding"},
        "imputation": {"imputation.embedding"},
    }


def test_terms_train_their_own_heads_unless_all_are_attached() -> None:
    z, labels = random_batch(2, HEADS)
    for attach, reached in (("none", [{"cvr"}, {"imputation"}]), ("all", [set(HEADS)] * 2)):
        terms, leaves = terms_of("dt_dr", z, labels, attach=attach)
        for term, heads in zip(("cvr", "imputation"), reached, strict=True):
            found = {h for h, slope in slopes(terms[term], leaves).items() if slope.any()}
            assert found == heads, (attach, term)


def test_it_settles_at_the_truth_and_released_does_not() -> None:
    both = ("cvr", "imputation")
    assert settle("dt_dr", both, both).ratio == pytest.approx(1.0, abs=1e-3)
    attached = settle("dt_dr", both, both, attach="all")
    assert attached.ratio > 1.2


def test_without_id_columns_the_penalty_is_0_and_everything_trains() -> None:
    method = make_method("dt_dr", inputs=InputSpec((), (), 2))
    batch = make_batch(*PATTERNS["mixed"])
    batch = type(batch)(batch.ids[:, :0], batch.numeric[:, :2], (), batch.click, batch.conversion)
    terms = method.loss(batch)[1]
    assert terms["orthogonality"].value.item() == 0
    weighted_sum(terms).backward()
