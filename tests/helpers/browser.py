"""Headless Chromium, pages of a size in it, and what they say and ask for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

# A laptop and a phone: width and height in pixels.
LAPTOP, PHONE = (1280, 900), (390, 844)
SIZES = [LAPTOP, PHONE]
OWN = ("file:", "data:", "blob:")
SIDEWAYS = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth"


@dataclass
class Opened:
    """A page, with what it said on the console and asked of the network."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda m: self.errors.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", lambda r: self.errors.append(f"failed: {r.url[:200]}"))
        self.page.on("dialog", lambda d: (self.errors.append(f"dialog: {d.message}"), d.dismiss()))
        self.page.on("request", lambda r: self.requests.append(r.url))

    @property
    def foreign(self) -> list[str]:
        """What it asked for that is neither a file nor within the page."""
        return [url for url in self.requests if not url.startswith(OWN)]


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()


@contextmanager
def page_of(browser: Any, size: tuple[int, int], *, mobile: bool = True) -> Iterator[Opened]:
    """An empty page without a network; narrow ones are a phone's unless `mobile` is false."""
    width, height = size
    phone = mobile and width < 500
    context = browser.new_context(
        viewport={"width": width, "height": height},
        is_mobile=phone,
        has_touch=phone,
        offline=True,
    )
    try:
        yield Opened(context.new_page())
    finally:
        context.close()


def sideways(page: Any) -> int:
    """How far the page itself scrolls sideways."""
    overflow: int = page.evaluate(SIDEWAYS)
    return overflow
