"""What the endpoints share: the bundle, its threads, limits, metrics and the API key."""

import asyncio
import logging
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from postclick.serving.http.answer import answer_format, sent_format
from postclick.serving.http.app.auth import ApiKey
from postclick.serving.http.body.body_reader import BodyReader
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.model.bounded_threads import BoundedThreads
from postclick.serving.http.model.current_bundle import CurrentBundle
from postclick.serving.http.model.score_request import Answer, score_body, warm
from postclick.serving.http.refusal import Refusal, error_response, refusal
from postclick.serving.http.server_metrics import ServerMetrics

VERSION_HEADER = "x-bundle-version"

log = logging.getLogger("postclick.serve")


class Service:
    """Scores requests.

    Attributes:
        current: the bundle that serves.
        metrics: what it counts.
        key: who may ask.
        draining: set when the server has been told to stop.
    """

    def __init__(
        self, current: CurrentBundle, key: ApiKey, limits: Limits, workers: int = 1
    ) -> None:
        self.current, self.key, self.limits = current, key, limits
        self.threads = BoundedThreads(workers, limits.queue)
        self.metrics = ServerMetrics(lambda: self.threads.depth)
        self.metrics.serves(current.bundle)
        self.draining = False
        self._bodies = BodyReader(limits)
        warm(current.bundle)

    async def score(self, request: Request) -> Response:
        """Answer a request to /score; never raises."""
        try:
            return await self._score(request)
        except Refusal as error:
            self.metrics.rejected.labels(error.reason).inc()
            return refusal(error)
        except asyncio.CancelledError:
            # Only the end of the time to drain cancels a request.
            self.metrics.rejected.labels("stopped").inc()
            message = "the server stopped before this request was done: send it again"
            return refusal(Refusal(503, message, "stopped", retry_after=1, close=True))
        except Exception:
            log.exception("a request failed")
            return error_response(500, "the server failed; its log says why")

    async def _score(self, request: Request) -> Response:
        deadline = asyncio.get_running_loop().time() + self.limits.seconds
        headers = request.headers
        self.key.check(headers)
        sent = sent_format(headers.get("content-type"))
        wanted = answer_format(headers.get("accept"), sent)
        body = await self._bodies.read(request.receive, headers, deadline)
        try:
            call = partial(score_body, self.current.bundle, body, sent, wanted, self.limits)
            answer, waited = await self.threads.run(call, deadline)
        finally:
            body.release()
        return self._response(answer, wanted, waited)

    def _response(self, answer: Answer, media: str, waited: float) -> Response:
        self.metrics.rows.inc(answer.rows)
        self.metrics.model_seconds.observe(answer.model_seconds)
        times = {"queue": waited, "model": answer.model_seconds, "work": answer.seconds}
        timing = ", ".join(f"{name};dur={1e3 * taken:.3f}" for name, taken in times.items())
        headers = {VERSION_HEADER: answer.version, "server-timing": timing}
        return Response(answer.body, headers=headers, media_type=media)
