"""The page in a real browser, wide and narrow: nothing is cut, nothing overlaps, nothing runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.browser import SIZES, page_of, sideways
from postclick.judging.predicted.result import JudgedLog

pytestmark = pytest.mark.slow
# What is drawn outside the window or its card; what lies within a box that scrolls is let be.
OUTSIDE = """() => {
  const found = [], near = (a, b) => a > b + 1;
  for (const one of document.querySelectorAll("main *")) {
    const r = one.getBoundingClientRect();
    if (!r.width && !r.height) continue;
    const box = one.closest(".scroll, pre");
    if (box && box !== one) continue;
    const told = `${one.tagName} ${one.textContent.trim().slice(0, 60)}`;
    if (near(r.right, innerWidth) || near(0, r.left)) found.push(`window: ${told}`);
    const card = one.closest(".card");
    if (!card || card === one) continue;
    const c = card.getBoundingClientRect();
    if (near(r.right, c.right) || near(c.left, r.left) || near(r.bottom, c.bottom)
        || near(c.top, r.top)) found.push(`card: ${told}`);
  }
  return found;
}"""
OVERLAPPING = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("svg")) {
    const texts = [...svg.querySelectorAll("text")].map((t) => [t, t.getBoundingClientRect()]);
    for (const [k, [one, a]] of texts.entries()) for (const [other, b] of texts.slice(k + 1))
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2
          && b.top < a.bottom - 2) found.push(`${one.textContent} / ${other.textContent}`);
  }
  return found;
}"""
# Text that is hidden because its box is too small for it.
CUT = """() => [...document.querySelectorAll("main *")].filter((one) => {
  const style = getComputedStyle(one);
  return ["hidden", "clip"].includes(style.overflowX) && one.tagName !== "svg"
    && one.scrollWidth > one.clientWidth + 1;
}).map((one) => one.tagName + " " + one.className)"""


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def page(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    """An empty page; what it says on the console or asks of a network is an error."""
    with page_of(browser, request.param) as found:
        yield found.page
    assert found.errors == [] and found.foreign == []


@pytest.mark.parametrize("name", ["everything", "twelve", "plain", "fruitless"])
def test_nothing_is_cut_and_nothing_overlaps(
    name: str, page: Any, request: pytest.FixtureRequest
) -> None:
    found: tuple[JudgedLog, Path] = request.getfixturevalue(name)
    page.goto((found[1] / "report.html").as_uri())
    for opened in (False, True):
        if opened:
            page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
        assert sideways(page) <= 0
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(OVERLAPPING) == []
        assert page.evaluate(CUT) == []
    assert page.locator("main img, main script").count() == 0


def test_the_answer_is_seen_without_scrolling(
    page: Any, everything: tuple[JudgedLog, Path]
) -> None:
    page.goto((everything[1] / "report.html").as_uri())
    answer = page.locator(".answer strong").bounding_box()
    assert answer["y"] + answer["height"] < 450
    weight = "getComputedStyle(document.querySelector('.answer strong')).fontWeight"
    assert int(page.evaluate(weight)) >= 700


def test_wide_tables_scroll_in_their_own_box(page: Any, everything: tuple[JudgedLog, Path]) -> None:
    page.goto((everything[1] / "report.html").as_uri())
    boxes = page.locator(".scroll").evaluate_all(
        "all => all.filter((b) => b.offsetParent).map((b) => [b.scrollWidth, b.clientWidth])"
    )
    wide = [box for box in boxes if box[0] > box[1]]
    # The last column can be reached, and the name of the row stays in sight.
    assert wide or page.viewport_size["width"] > 1000
    for number in range(min(3, len(wide))):
        place = [k for k, box in enumerate(boxes) if box[0] > box[1]][number]
        box = page.locator(".scroll").nth(place)
        moved = box.evaluate("(b) => { b.scrollLeft = b.scrollWidth; return b.scrollLeft; }")
        assert moved > 0
        name = box.locator("tbody th").first.bounding_box()
        outer = box.bounding_box()
        assert abs(name["x"] - outer["x"]) < 3


def test_marks_stand_where_their_figures_say(page: Any, everything: tuple[JudgedLog, Path]) -> None:
    """The circle of a model lies between the ticks on both sides of its PCOC."""
    judged, folder = everything
    page.goto((folder / "report.html").as_uri())
    card = page.locator(".card", has_text="PCOC of pCVR, clicked impressions").first
    ticks = card.locator("svg text").evaluate_all(
        "all => all.map((t) => { const r = t.getBoundingClientRect();"
        " return [Number(t.textContent), r.left + r.width / 2]; })"
    )
    places = card.locator("svg.row g > circle").evaluate_all(
        "all => all.map((c) => c.getBoundingClientRect()).map((r) => r.left + r.width / 2)"
    )
    assert len(places) == len(judged.models) == 3
    for model, place in zip(judged.models, places, strict=True):
        value = judged.value(model, "cvr_pcoc", "clicked")
        assert value is not None
        below = [at for tick, at in ticks if tick <= value]
        above = [at for tick, at in ticks if tick >= value]
        assert all(at <= place + 1 for at in below) and all(at >= place - 1 for at in above)


def test_dark_pages_are_dark_and_paper_is_white(
    page: Any, everything: tuple[JudgedLog, Path]
) -> None:
    page.goto((everything[1] / "report.html").as_uri())
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    dark, ink = page.evaluate(colour), page.evaluate("getComputedStyle(document.body).color")
    assert sum(numbers(dark)) < 150 < 450 < sum(numbers(ink))
    label = "getComputedStyle(document.querySelector('svg text')).fill"
    assert sum(numbers(page.evaluate(label))) > 400
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()


def numbers(colour: str) -> list[int]:
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(", ")]
