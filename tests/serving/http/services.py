"""A service around a fake bundle, within this process."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from postclick.serving.http.app.app import build_app
from postclick.serving.http.app.auth import ApiKey
from postclick.serving.http.app.service import Service
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.model.current_bundle import CurrentBundle
from serving.http.fake import FakeBundle, write_fake

USER = {"age": 30, "history": ["x"]}
CANDIDATES = [{"item": "a", "price": 10.0}, {"item": "b", "price": 20.0}]
SENT = {"user": USER, "candidates": CANDIDATES}
KEY = "0123456789abcdef-key"


def make_service(
    folder: Path, limits: Limits | None = None, key: str | None = None, **settings: Any
) -> Service:
    """A service whose bundle has these settings."""
    current = CurrentBundle(write_fake(folder / "bundle", **settings), FakeBundle.open, 1)
    return Service(current, ApiKey(key.encode() if key else None), limits or Limits())


def fake_of(service: Service) -> FakeBundle:
    """Its bundle."""
    assert isinstance(service.current.bundle, FakeBundle)
    return service.current.bundle


class Client:
    """Requests to an application, one after the other; what escapes from it is raised here."""

    def __init__(self, service: Service) -> None:
        self._app = build_app(service)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, **more))

    async def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **more)


def client_of(service: Service) -> Client:
    """A client of its application."""
    return Client(service)


def sample(service: Service, name: str, **labels: str) -> float:
    """The value of a metric; 0 if there is none yet."""
    found = service.metrics._registry.get_sample_value(name, labels)
    return 0.0 if found is None else found
