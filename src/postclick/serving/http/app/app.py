"""The FastAPI application: its paths, and errors as one line of JSON."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from postclick.serving.http.app.openapi import (
    Problem,
    score_body_schema,
    score_responses,
)
from postclick.serving.http.app.request_counter import RequestCounter
from postclick.serving.http.app.service import Service
from postclick.serving.http.refusal import Refusal, error_response, refusal
from postclick.version import __version__


def build_app(service: Service) -> FastAPI:
    """The application of a service.

    Pages of documentation are off: they load scripts from elsewhere. `/openapi.json` is there.
    """
    app = FastAPI(title="postclick", version=__version__, docs_url=None, redoc_url=None)
    refused: dict[int | str, dict[str, Any]] = {401: {"model": Problem}}

    # The body is read by hand: a model per candidate would take longer than scoring it.
    @app.post(
        "/score",
        response_class=JSONResponse,
        responses=score_responses(),
        openapi_extra=score_body_schema(
            service.limits,
            service.current.bundle.features,
            service.current.bundle.vector_sizes,
        ),
    )
    async def score(request: Request) -> Response:
        """Predict pCTR, pCVR and pCTCVR of candidates, in order."""
        return await service.score(request)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "alive"}

    @app.get("/ready", responses={503: {"model": Problem}})
    async def ready() -> Response:
        """Whether to send requests here, and the columns that the bundle needs."""
        if service.draining:
            return error_response(503, "the server is stopping")
        bundle = service.current.bundle
        about = {"version": bundle.version, "method": bundle.method}
        return JSONResponse({"status": "ready", **about, "features": list(bundle.features)})

    @app.get("/metrics", response_class=Response, responses=refused)
    async def metrics(request: Request) -> Response:
        """Counters and histograms in Prometheus' text format."""
        try:
            service.key.check(request.headers)
        except Refusal as error:
            return refusal(error)
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(HTTPException)
    async def not_found(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path[:60]}: {error.detail}"
        return error_response(error.status_code, message, dict(error.headers or {}))

    app.add_middleware(RequestCounter, metrics=service.metrics)
    return app
