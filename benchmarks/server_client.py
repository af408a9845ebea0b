"""One client process: requests in the form that they go over the wire, on kept connections."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

MODEL = re.compile(rb"model;dur=([0-9.]+)")
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", flags=re.IGNORECASE)


@dataclass
class Tally:
    """What came of requests.

    Attributes:
        seconds: from when each request was due, so that waiting behind a slow one counts.
        model: seconds of the model call, as the server says.
        lag: seconds from when each was due to when it was sent.
        errors: answers other than 200, and broken connections, by what they were.
    """

    seconds: list[float] = field(default_factory=list)
    model: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def add_error(self, what: str) -> None:
        self.errors[what] = self.errors.get(what, 0) + 1


class Connection(asyncio.Protocol):
    """A kept connection with one request at a time."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[bytes] | None = None
        self._received = bytearray()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or self._answer is None:
            return
        found = LENGTH.search(self._received, 0, end + 2)
        size = end + 4 + (int(found[1]) if found else 0)
        if len(self._received) >= size and not self._answer.done():
            self._answer.set_result(bytes(self._received[:end]))
            del self._received[:size]

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("lost"))

    async def ask(self, request: bytes) -> bytes:
        """The head of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


class Client:
    """Sends requests in turn; a new connection is opened where none is idle."""

    def __init__(self, port: int, bodies: Sequence[bytes], media: str) -> None:
        head = f"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media}\r\n"
        self._requests = [
            f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies
        ]
        self._port = port
        self._idle: list[Connection] = []
        self._sent = 0

    async def _ask(self, due: float, tally: Tally) -> None:
        request = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        try:
            connection = self._from_idle() or await self._connect()
            tally.lag.append(time.perf_counter() - due)
            head = await connection.ask(request)
        except OSError as error:
            tally.add_error(type(error).__name__)
            return
        tally.seconds.append(time.perf_counter() - due)
        if not connection.lost:
            self._idle.append(connection)
        if not head.startswith(b"HTTP/1.1 200 "):
            tally.add_error(head[9:12].decode())
        elif found := MODEL.search(head):
            tally.model.append(float(found[1]) / 1e3)

    def _from_idle(self) -> Connection | None:
        """A connection that the server has not closed meanwhile."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost:
                return connection
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
        return connection

    async def saturate(self, seconds: float, together: int) -> tuple[float, Tally]:
        """Requests a second with `together` under way at all times."""
        tally, began = Tally(), time.perf_counter()

        async def one_after_the_other() -> None:
            while time.perf_counter() < began + seconds:
                await self._ask(time.perf_counter(), tally)

        await asyncio.gather(*(one_after_the_other() for _ in range(together)))
        return len(tally.seconds) / (time.perf_counter() - began), tally

    async def arrive(self, rate: float, seconds: float, seed: int, *, even: bool = False) -> Tally:
        """Requests at `rate` a second with exponential or even gaps, whatever the answers take."""
        rng, tally = np.random.default_rng(seed), Tally()
        began = due = time.perf_counter()
        under_way: set[asyncio.Task[None]] = set()
        while due < began + seconds:
            wait = due - time.perf_counter()
            # Others have their turn also when it is late.
            await asyncio.sleep(max(wait, 0))
            task = asyncio.create_task(self._ask(due, tally))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due += 1 / rate if even else rng.exponential(1 / rate)
        await asyncio.gather(*under_way)
        return tally

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()
