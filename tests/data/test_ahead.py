"""Batches that are fetched ahead are the same batches, in the same order."""

import threading
from collections.abc import Iterator

import pytest
import torch

from postclick.data.ahead import DEPTH, on_device
from postclick.data.batch import Bag, Batch

CPU = torch.device("cpu")


def batch(k: int) -> Batch:
    ids = torch.full((3, 2), k)
    bag = Bag(torch.tensor([k, k]), torch.tensor([0, 1, 2]), torch.ones(2))
    return Batch(ids, torch.full((3, 1), float(k)), (bag,), torch.ones(3), torch.zeros(3))


@pytest.mark.parametrize("ahead", [False, True, None])
def test_every_batch_comes_once_and_in_order(ahead: bool | None) -> None:
    found = list(on_device((batch(k) for k in range(20)), CPU, ahead=ahead))
    assert [int(b.ids[0, 0]) for b in found] == list(range(20))
    assert list(on_device([], CPU, ahead=ahead)) == []


def test_in_cpu_memory_nothing_is_copied_and_no_thread_is_started() -> None:
    made = [batch(k) for k in range(3)]
    before = threading.active_count()
    for given, found in zip(made, on_device(made, CPU), strict=True):
        assert found is given
        assert threading.active_count() == before


def test_only_a_few_batches_wait() -> None:
    """Ahead, not away: memory holds the batches of a few steps."""
    made: list[int] = []

    def source() -> Iterator[Batch]:
        for k in range(100):
            made.append(k)
            yield batch(k)

    for k, _ in enumerate(on_device(source(), CPU, ahead=True)):
        assert len(made) <= k + 1 + DEPTH


def test_an_error_is_raised_in_its_place() -> None:
    def source() -> Iterator[Batch]:
        yield batch(0)
        raise OSError("the disk is gone")

    batches = on_device(source(), CPU, ahead=True)
    assert int(next(batches).ids[0, 0]) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


def test_stopping_in_the_middle_leaves_no_thread() -> None:
    before = threading.active_count()
    batches = on_device((batch(k) for k in range(1000)), CPU, ahead=True)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_device_without_memory_gets_every_tensor() -> None:
    (found,) = on_device([batch(1)], torch.device("meta"))
    tensors = (found.ids, found.numeric, found.click, found.conversion, *found.bags[0])
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_computes_on_what_was_sent() -> None:
    device = torch.device("cuda")
    sums = [float(b.numeric.sum()) for b in on_device((batch(k) for k in range(50)), device)]
    assert sums == [3.0 * k for k in range(50)]
