"""Short waits of torch's OpenMP threads while other processes want the same cores.

An OpenMP thread that is done waits for the others by spinning, for some milliseconds. On an idle
machine that is the fastest way to wait. Where another process is busy, the spinning thread holds
the core that the awaited thread needs, and is taken off it as a hog just when its next work comes:
training falls to a tenth. The library shortens its waits a hundredfold by itself while its process
has more OpenMP threads than there are cores (the manual of libgomp, GOMP_SPINCOUNT). So when the
system says that our threads queue for cores, threads that sleep are added, and taken away again
when the queue is gone. They compute nothing, so results are the same to the bit.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from postclick.system.threads import Region, cores, torch_openmp

# Seconds between two looks at the queue.
EVERY = 0.1
# Seconds that our threads spend in the queue, together, for one on the clock: an idle machine has
# .00 to .03, one busy neighbour of two cores makes it .2 to .9.
CROWDED = 0.12
# Waits stay short for so many seconds after the last time it was crowded.
KEPT = 2.0
# What a user may have said of waiting: it is then left as it is.
USERS_CHOICE = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


@contextmanager
def short_waits_when_crowded() -> Iterator[None]:
    """Watch the queue for cores, in a thread of its own, and shorten waits while there is one.

    Nothing is watched where torch has one thread or other threads than OpenMP's, where the system
    does not tell of queues, or where the user's environment says how to wait.
    """
    chosen = any(name in os.environ for name in USERS_CHOICE)
    alone = torch.get_num_threads() == 1
    if chosen or alone or torch_openmp() is None or seconds_queued() is None:
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(ended,), name="queue-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(ended: threading.Event) -> None:
    # One more thread than cores is what it takes.
    count = max(1, cores() - torch.get_num_threads() + 1)
    with ExitStack() as asleep:
        until, short = 0.0, False
        before, queued = time.monotonic(), seconds_queued() or 0.0
        while not ended.wait(EVERY):
            now, queued_now = time.monotonic(), seconds_queued() or 0.0
            if queued_now - queued > CROWDED * (now - before):
                until = now + KEPT
            before, queued = now, queued_now
            if now < until and not short:
                asleep.enter_context(sleeping_threads(count))
            elif now >= until and short:
                asleep.close()
            short = now < until


def seconds_queued() -> float | None:
    """For how long threads of this process have been ready and without a core, so far.

    None where the system does not say: only Linux does.
    """
    total = 0
    try:
        for task in Path("/proc/self/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[1])
            except (ProcessLookupError, FileNotFoundError):
                continue  # it has just ended
    except (OSError, IndexError, ValueError):
        return None
    return total / 1e9


@contextmanager
def sleeping_threads(count: int) -> Iterator[None]:
    """Have `count` more OpenMP threads in this process, asleep, until the end."""
    begun, ended = threading.Event(), threading.Event()
    openmp = torch_openmp()

    def hold() -> None:
        # A thread that begins a region keeps the region's other threads for as long as it lives.
        if openmp is not None:
            openmp.GOMP_parallel(Region(lambda _: None), None, count + 1, 0)
        begun.set()
        ended.wait()

    holder = threading.Thread(target=hold, name="sleeping-threads", daemon=True)
    holder.start()
    begun.wait()
    try:
        yield
    finally:
        ended.set()
        holder.join()
