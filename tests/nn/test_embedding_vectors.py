"""Vectors in the embedded features: where they stand, and what projects them."""

import pytest
import torch
from torch import Tensor

from postclick.nn.config import NetworkConfig
from postclick.nn.embedding import FeatureEmbedding

FIELDS, NUMERICS, DIM = (5, 7), 3, 4
VECTORS: tuple[tuple[int, int | None], ...] = ((6, 2), (3, None), (2, 5))
WIDTH = NUMERICS + 6 + 3 + 2


def embedding(
    vectors: tuple[tuple[int, int | None], ...] = VECTORS, numerics: int = NUMERICS, **options: str
) -> FeatureEmbedding:
    torch.manual_seed(0)
    config = NetworkConfig.model_validate(options)
    return FeatureEmbedding(FIELDS, (), numerics, DIM, config, vectors=vectors).double()


def numbers(rows: int) -> Tensor:
    return torch.randn(rows, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


IDS = torch.tensor([[1, 6], [4, 9], [0, 5]])


@pytest.mark.parametrize("mode", ["concat", "project"])
def test_each_vector_is_mapped_alone_or_stands_as_it_is(mode: str) -> None:
    features, numeric = embedding(numeric=mode), numbers(3)
    out = features(IDS, numeric)
    plain = numeric[:, :3]
    if mode == "project":
        plain = plain @ features.project.weight.T + features.project.bias
    first, last = (features.projections[k].weight for k in ("0", "2"))
    slow = [features.table[IDS].flatten(1), plain, numeric[:, 3:9] @ first.T]
    slow += [numeric[:, 9:12], numeric[:, 12:] @ last.T]
    torch.testing.assert_close(out, torch.cat(slow, dim=1), rtol=1e-12, atol=1e-12)
    expected = 2 * DIM + (3 if mode == "concat" else DIM) + 2 + 3 + 5
    assert features.width == out.shape[1] == expected


def test_a_missing_vector_adds_nothing() -> None:
    features, numeric = embedding(), numbers(3)
    numeric[1, NUMERICS:] = 0.0
    out = features(IDS, numeric)
    assert (out[1, 2 * DIM + NUMERICS :] == 0).all()
    assert (out[0, 2 * DIM + NUMERICS :] != 0).all()
    assert all(layer.bias is None for layer in features.projections.values())


def test_without_vectors_the_weights_are_those_they_were() -> None:
    plain, with_them = embedding(()), embedding()
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, with_them.get_parameter(name))
    assert {n for n, _ in with_them.named_parameters()} - {
        n for n, _ in plain.named_parameters()
    } == {"projections.0.weight", "projections.2.weight"}


def test_vectors_without_numbers_and_no_rows() -> None:
    features = embedding(numerics=0, numeric="project")
    assert isinstance(features.project, torch.nn.Identity)
    out = features(IDS[:0], numbers(0)[:, NUMERICS:])
    assert out.shape == (0, features.width) == (0, 2 * DIM + 2 + 3 + 5)


def test_every_map_is_trained() -> None:
    features = embedding()
    features(IDS, numbers(3)).square().sum().backward()
    for layer in features.projections.values():
        assert (layer.weight.grad != 0).all()
