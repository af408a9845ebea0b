"""The bounded queue: order, refusal, times, and calls that fail."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from postclick.serving.http.model.bounded_threads import BoundedThreads
from postclick.serving.http.refusal import Refusal


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def pool() -> Iterator[BoundedThreads]:
    threads = BoundedThreads(workers=1, queue=2)
    yield threads
    threads.close()


async def begun(pool: BoundedThreads, gate: threading.Event) -> asyncio.Task[Any]:
    """A call that runs until the gate opens, and has begun."""
    started = threading.Event()

    def call() -> str:
        started.set()
        assert gate.wait(10)
        return "first"

    task = asyncio.create_task(pool.run(call, None))
    await asyncio.to_thread(started.wait, 10)
    return task


async def status(pool: BoundedThreads, call: Callable[[], Any], seconds: float) -> int:
    try:
        await pool.run(call, asyncio.get_running_loop().time() + seconds)
    except Refusal as error:
        return error.status
    return 200


def test_calls_wait_in_order_and_no_more_than_may(
    pool: BoundedThreads, gate: threading.Event
) -> None:
    done: list[int] = []

    async def main() -> None:
        first = await begun(pool, gate)
        waiting = [asyncio.create_task(pool.run(lambda k=k: done.append(k), None)) for k in (1, 2)]
        await asyncio.sleep(0)
        assert pool.depth == 2
        with pytest.raises(Refusal) as caught:
            await pool.run(lambda: done.append(3), None)
        assert (caught.value.status, caught.value.retry_after) == (429, 1)
        gate.set()
        assert (await first)[0] == "first"
        await asyncio.gather(*waiting)
        assert pool.depth == 0
        assert await status(pool, lambda: done.append(4), 10) == 200

    asyncio.run(main())
    assert done == [1, 2, 4]


def test_time_that_is_up_in_the_queue_and_in_the_call(
    pool: BoundedThreads, gate: threading.Event
) -> None:
    ran: list[str] = []

    async def main() -> None:
        running = asyncio.create_task(status(pool, lambda: gate.wait(10), 0.2))
        await asyncio.sleep(0.05)
        assert await status(pool, lambda: ran.append("never"), 0.01) == 503
        assert pool.depth == 0
        assert await running == 504
        gate.set()
        assert await status(pool, lambda: ran.append("later"), 10) == 200

    asyncio.run(main())
    assert ran == ["later"]


def test_a_caller_that_goes_away_leaves_the_queue(
    pool: BoundedThreads, gate: threading.Event
) -> None:
    async def main() -> None:
        first = await begun(pool, gate)
        second = asyncio.create_task(pool.run(lambda: None, None))
        await asyncio.sleep(0)
        assert pool.depth == 1
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert pool.depth == 0
        gate.set()
        await first

    asyncio.run(main())


class Panic(BaseException):
    """As native code raises it."""


@pytest.mark.parametrize(
    ("error", "seen"),
    [(ValueError, ValueError), (TimeoutError, TimeoutError), (Panic, RuntimeError)],
)
def test_a_call_that_fails_does_not_end_the_thread(
    pool: BoundedThreads, error: type[BaseException], seen: type[Exception]
) -> None:
    def broken() -> None:
        raise error("broken")

    async def main() -> None:
        deadline = asyncio.get_running_loop().time() + 10
        for _ in range(2):
            with pytest.raises(seen, match="broken"):
                await pool.run(broken, deadline)
        assert (await pool.run(lambda: 7, deadline))[0] == 7

    asyncio.run(main())
