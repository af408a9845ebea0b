"""Batches on their device, the next one on its way while the present one is used."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from postclick.data.batch import Batch

# Batches that wait on the device: one is used, the next must be there when it is done.
DEPTH = 2


def on_device(
    batches: Iterable[Batch], device: torch.device, *, ahead: bool | None = None
) -> Iterator[Batch]:
    """`batches` on `device`, in their order.

    For a device with memory of its own a thread gathers batches ahead, pins their memory and starts
    the copies, which do not block. They go to the default stream of the device, so whatever is
    computed on a batch afterwards waits for its copy. In CPU memory nothing is copied and no thread
    is started.

    Args:
        ahead: work ahead or not; by default on every device but the CPU.

    An error of `batches` is raised where its batch would have come.
    """
    working_ahead = device.type != "cpu" if ahead is None else ahead
    if not working_ahead:
        for batch in batches:
            yield batch.to(device)
        return
    source = iter(batches)

    def fetch() -> Batch | None:
        batch = next(source, None)
        if batch is None:
            return None
        return (batch.pinned() if device.type == "cuda" else batch).to(device)

    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        waiting: list[Future[Batch | None]] = [thread.submit(fetch) for _ in range(DEPTH)]
        try:
            while True:
                found = waiting.pop(0).result()
                if found is None:
                    return
                waiting.append(thread.submit(fetch))
                yield found
        finally:
            for future in waiting:
                future.cancel()
