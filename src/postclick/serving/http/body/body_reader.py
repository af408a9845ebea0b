"""Reading the body of a request within the limits of each and of all together."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.types import Receive

from postclick.serving.http.body.limits import Limits
from postclick.serving.http.refusal import Refusal

# Bodies held at a time, in whole bodies: reading one is not bounded by the queue of the model.
BODIES = 32
DISCARD_SECONDS = 1.0


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
