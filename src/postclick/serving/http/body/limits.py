"""Limits of a request, and reading a body within them."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import Receive

from postclick.errors import InputError
from postclick.serving.http.refusal import Refusal

MIB = 1 << 20
# Bodies held at a time, in whole bodies: reading one is not bounded by the queue of the model.
BODIES = 32
DISCARD_SECONDS = 1.0
# The user's part times the candidates, in whole bodies: 64 kB for 2,000 candidates.
SHARED_BODIES = 16


@dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Attributes:
        body_bytes: bytes of a body.
        candidates: rows to score.
        columns: columns in one part of a request, used or not.
        seconds: from the first byte of the body to the end of the model call.
        queue: requests that wait for a model thread. The default rides out most of a second in
            which the machine does something else.

    Raises:
        InputError: one of them is not positive.

    >>> Limits(candidates=0)
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: the limit on candidates is 0: it has to be 1 or more
    """

    body_bytes: int = 8 * MIB
    candidates: int = 2_000
    columns: int = 1_000
    seconds: float = 2.0
    queue: int = 256

    def __post_init__(self) -> None:
        for name in ("body_bytes", "candidates", "columns"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"the limit on {name} is {getattr(self, name)}: it has to be 1 or more"
                )
        if self.queue < 0:
            raise InputError(f"the queue is {self.queue} requests long: it has to be 0 or more")
        if not 0 < self.seconds < float("inf"):
            raise InputError(
                f"the time for a request is {self.seconds} s: it has to be above 0 and finite"
            )

    def check_rows(self, rows: int) -> None:
        """Refuse no rows and too many."""
        if rows < 1:
            raise Refusal(422, "there are no candidates: send 1 or more", "content")
        if rows > self.candidates:
            raise Refusal(
                413,
                f"{rows} candidates are more than {self.candidates}: send them in several requests",
                "too_large",
            )

    def check_text(self, size: int) -> None:
        """Refuse columns that unfold to more text than a body may hold."""
        if size > self.body_bytes:
            message = f"the text columns hold {size:,} bytes or more when they are spelled out"
            raise Refusal(413, f"{message}: send shorter values", "too_large")

    def check_shared(self, size: int, rows: int) -> None:
        """Refuse a user's part that is too large to be read with each of so many candidates."""
        if size * rows > SHARED_BODIES * self.body_bytes:
            raise Refusal(
                413,
                f"the user's part has {size:,} bytes, which count for each of {rows:,} candidates: "
                "send shorter lists, or the candidates in several requests",
                "too_large",
            )

    def check_columns(self, columns: int) -> None:
        """Refuse too many columns."""
        if columns > self.columns:
            raise Refusal(
                413,
                f"{columns} columns are more than {self.columns}: send those the bundle needs, "
                "GET /ready lists them",
                "too_large",
            )


class BodyReader:
    """Reads bodies of any number of requests, within the limit of each and of all together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, receive: Receive, headers: Mapping[str, str], deadline: float) -> "Body":
        """The body of a request, to be released when it has been parsed.

        Its length is counted as it comes, whatever `Content-Length` says.

        Raises:
            Refusal: it is too long (413), too slow (408), compressed (415), broken off (400), or
                the server holds too many bodies (429).
        """
        self._check(headers)
        body = Body(self)
        try:
            async with asyncio.timeout_at(deadline):
                await self._fill(body, receive)
        except TimeoutError:
            body.release()
            message = f"the body did not arrive within {self._limits.seconds:g} s"
            raise Refusal(408, message, "body_timeout", close=True) from None
        except BaseException:
            body.release()
            raise
        return body

    def _check(self, headers: Mapping[str, str]) -> None:
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            message = "compressed bodies are not read: send it without Content-Encoding"
            raise Refusal(415, message, "media_type", close=True)
        length = headers.get("content-length", "")
        # A client that asks first (Expect: 100-continue) learns it before it sends anything.
        if length.isascii() and length.isdigit() and int(length[:20]) > self._limits.body_bytes:
            raise self._too_long()

    async def _fill(self, body: "Body", receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "the client went away", "disconnected", close=True)
            chunk: bytes = message.get("body", b"")
            if body.size + len(chunk) > self._limits.body_bytes:
                body.release()
                await self._discard(receive, more=message.get("more_body", False))
                raise self._too_long()
            if self._held + len(chunk) > BODIES * self._limits.body_bytes:
                busy = "the server holds as many request bodies as it may: try again later"
                raise Refusal(429, busy, "queue_full", retry_after=1, close=True)
            self._held += len(chunk)
            body.add(chunk)
            if not message.get("more_body", False):
                return

    async def _discard(self, receive: Receive, *, more: bool) -> None:
        """Read on for a while: an answer is lost to a client that is cut off while it sends."""
        left = BODIES * self._limits.body_bytes
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while more and left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    more = message.get("more_body", False)

    def _too_long(self) -> Refusal:
        message = (
            f"the body is longer than {self._limits.body_bytes:,} bytes: "
            "send fewer candidates or columns in one request"
        )
        return Refusal(413, message, "too_large", close=True)

    def give_back(self, size: int) -> None:
        """`size` bytes are no longer held."""
        self._held -= size


class Body:
    """The chunks of a body as they came."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self._chunks: list[bytes] = []
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """Append a chunk."""
        self._chunks.append(chunk)
        self.size += len(chunk)

    def whole(self) -> bytes:
        """All of it; the one chunk as it is, if it is one."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def release(self) -> None:
        """Let go of the chunks; `whole` is empty from then on."""
        self._reader.give_back(self.size)
        self._chunks, self.size = [], 0
