"""An ASGI layer that counts requests to /score and times them to the end of the answer."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postclick.serving.http.server_metrics import ServerMetrics


class RequestCounter:
    """Wraps an application; other paths pass as they are."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection event of ASGI."""
        if scope["type"] != "http" or scope["path"] != "/score":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                self._metrics.requests.labels(str(message["status"])).inc()
            elif not message.get("more_body", False):
                self._metrics.request_seconds.observe(time.perf_counter() - began)

        await self._app(scope, receive, counted)
