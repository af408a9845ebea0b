"""Threads with a queue in front of them that does not grow: for model calls, and for loading."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from postclick.serving.http.refusal import Refusal

T = TypeVar("T")
R = TypeVar("R")


class Job(Generic[T]):
    """A call on its way through the queue.

    Attributes:
        future: of the event loop that asked; the call's result or exception.
        waited: seconds from being queued to being begun.
    """

    def __init__(self, call: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self._call, self._loop = call, loop
        self._queued = time.perf_counter()
        self.waited = 0.0
        self.future: asyncio.Future[T] = loop.create_future()

    def run(self) -> None:
        """Run the call, in a thread of the pool."""
        self.waited = time.perf_counter() - self._queued
        try:
            result = self._call()
        except Exception as error:
            self._settle(self._failed, error)
        except BaseException as error:
            # A panic in native code is a BaseException, and no reason to lose the thread.
            self._settle(self._failed, RuntimeError(f"{type(error).__name__}: {error}"))
        else:
            self._settle(self._ended, result)

    def _settle(self, settle: Callable[[R], None], outcome: R) -> None:
        # The loop is closed where the server stopped before this call had ended.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settle, outcome)

    def _ended(self, result: T) -> None:
        if not self.future.done():  # nobody waits for a call that was given up
            self.future.set_result(result)

    def _failed(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class BoundedThreads:
    """`workers` threads and at most `queue` calls that wait for one of them.

    The standard executor's queue has no bound, and it does not say whether a call had begun.

    >>> threads = BoundedThreads(workers=1, queue=0)
    >>> async def main() -> int:
    ...     deadline = asyncio.get_running_loop().time() + 1
    ...     return (await threads.run(lambda: 6 * 7, deadline))[0]
    >>> asyncio.run(main())
    42
    >>> threads.close()
    """

    def __init__(self, workers: int, queue: int, name: str = "model") -> None:
        self._workers, self._queue = workers, queue
        self._waiting: deque[Job[object]] = deque()
        self._busy = 0
        self._closed = False
        self._changed = threading.Condition()
        for number in range(workers):
            # Daemons: a call that hangs must not keep a stopped server alive.
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    @property
    def depth(self) -> int:
        """Calls that no thread has begun."""
        return len(self._waiting)

    async def run(self, call: Callable[[], T], deadline: float | None) -> tuple[T, float]:
        """The result of `call`, and the seconds it waited; `deadline` is in the loop's time.

        Raises:
            Refusal: the queue is full (429), or the time was up before the call began (503) or
                before it ended (504).
        """
        job = Job(call, asyncio.get_running_loop())
        self._enqueue(job)
        try:
            async with asyncio.timeout_at(deadline) as clock:
                return await job.future, job.waited
        except TimeoutError:
            if not clock.expired():
                raise  # the call's own
            if self._withdraw(job):
                message = "no model thread was free in time: try again later"
                raise Refusal(503, message, "queue_timeout", retry_after=1) from None
            message = "the model call did not end in time: send fewer candidates"
            raise Refusal(504, message, "model_timeout") from None
        except asyncio.CancelledError:
            self._withdraw(job)
            raise

    def close(self) -> None:
        """Let the threads end after the calls that wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _enqueue(self, job: Job[T]) -> None:
        with self._changed:
            if len(self._waiting) + self._busy >= self._queue + self._workers:
                raise Refusal(
                    429,
                    f"{self._queue} requests wait for the model already: try again later",
                    "queue_full",
                    retry_after=1,
                )
            self._waiting.append(job)  # type: ignore[arg-type]
            self._changed.notify()

    def _withdraw(self, job: Job[T]) -> bool:
        """Take a call out of the queue; False if it has begun."""
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)  # type: ignore[arg-type]
                return True
            return False

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                job = self._waiting.popleft()
                self._busy += 1
            job.run()
            del job  # or its result would live until the next one
            with self._changed:
                self._busy -= 1
